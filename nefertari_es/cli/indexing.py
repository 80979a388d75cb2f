"""How commands that index whole models show how far they are."""

from __future__ import annotations

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
from nefertari_engine_base.sync.catch_up import CaughtUp, catch_up
from nefertari_engine_base.values import DeliveryReport, Query


def index_model(engines: Engines, schema: ModelSchema) -> CaughtUp:
    """Catch up with one model, with a progress bar, and name what was refused."""
    total = engines.primary_of(schema.model).count(schema, Query())
    console = Console(stderr=True)
    with _bar(console) as progress:
        task = progress.add_task(schema.name, total=total)

        def advance(report: DeliveryReport) -> None:
            done = report.written + report.superseded + report.refused
            progress.update(task, advance=done)

        done = catch_up(engines, schema, advance)
    for ref, reason in done.report.errors:
        console.print(f"[red]{ref.model} {ref.id}[/]: {reason}", highlight=False)
    return done


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
    )
