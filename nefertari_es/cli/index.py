"""``nefertari-es index``."""

from __future__ import annotations

import sys

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from nefertari_engine_base.engines import Engines
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.sync.rebuild import index_all
from nefertari_engine_base.values import DeliveryReport, Query
from nefertari_es.cli.application import application


@click.command()
@click.argument("models", nargs=-1)
@click.pass_obj
def index(config: str, models: tuple[str, ...]) -> None:
    """Index every row of MODELS, by default of all models.

    The application may go on writing meanwhile.
    """
    with application(config) as engines:
        names = models or tuple(engines.schemas)
        schemas = [engines.schema_of(name) for name in names]
        refused = sum(_index(engines, schema) for schema in schemas)
    sys.exit(1 if refused else 0)


def _index(engines: Engines, schema: ModelSchema) -> int:
    """Index one model; the number of documents that were refused."""
    total = engines.primary_of(schema.model).count(schema, Query())
    console = Console(stderr=True)
    with _bar(console) as progress:
        task = progress.add_task(schema.name, total=total)

        def advance(report: DeliveryReport) -> None:
            done = report.written + report.superseded + report.refused
            progress.update(task, advance=done)

        report = index_all(engines, schema, advance)
    for ref, reason in report.errors:
        console.print(f"[red]{ref.model} {ref.id}[/]: {reason}", highlight=False)
    return len(report.errors)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )
