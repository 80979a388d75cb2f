"""The application that a command works on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from pyramid.paster import bootstrap, setup_logging

from nefertari_engine_base.engines import Engines, engines_of


@contextmanager
def application(config: str) -> Iterator[Engines]:
    """Start the application of an ini file; its engines, closed at the end."""
    if not Path(config.partition("#")[0]).is_file():
        raise click.UsageError(
            f"{config} is not there: name the application's ini file with "
            f"nefertari-es -c FILE."
        )
    setup_logging(config)
    with bootstrap(config) as environment:
        engines = engines_of(environment["registry"])
        # What an application is made of stays as long as the process. The collector
        # need not look through it with every few batches, which was a third of the work
        # of a worker: https://docs.python.org/3/library/gc.html#gc.freeze
        gc.collect()
        gc.freeze()
        try:
            yield engines
        finally:
            engines.close()
