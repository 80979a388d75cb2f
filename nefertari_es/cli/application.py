"""The application that a command works on."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import click
from pyramid.paster import bootstrap, setup_logging

from nefertari_engine_base.engines import Engines, engines_of
from nefertari_engine_base.setting_up import setting_up


@contextmanager
def application(config: str, *, sets_up: bool = False) -> Iterator[Engines]:
    """Start the application of an ini file; its engines, closed at the end.

    :param sets_up: the command makes, or shows, what an application may lack.
    """
    if not Path(config.partition("#")[0]).is_file():
        raise click.UsageError(
            f"{config} is not there: name the application's ini file with "
            f"nefertari-es -c FILE."
        )
    setup_logging(config)
    with ExitStack() as stack:
        with setting_up() if sets_up else nullcontext():
            environment = stack.enter_context(bootstrap(config))
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
