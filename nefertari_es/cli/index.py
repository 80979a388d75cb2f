"""``nefertari-es index``."""

from __future__ import annotations

import sys

import click

from nefertari_es.cli.application import application
from nefertari_es.cli.indexing import index_model


@click.command()
@click.argument("models", nargs=-1)
@click.pass_obj
def index(config: str, models: tuple[str, ...]) -> None:
    """Index every row of MODELS, by default of all models.

    Documents that have no row are removed. The application may go on writing meanwhile.
    """
    with application(config) as engines:
        names = models or tuple(engines.schemas)
        schemas = [engines.schema_of(name) for name in names]
        refused = sum(
            len(index_model(engines, schema).report.errors) for schema in schemas
        )
    sys.exit(1 if refused else 0)
