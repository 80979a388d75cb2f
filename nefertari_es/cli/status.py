"""``nefertari-es status``."""

from __future__ import annotations

from dataclasses import asdict

import click
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nefertari_engine_base.sync.status import sync_status
from nefertari_engine_base.values import SyncStatus
from nefertari_es.cli.application import application


@click.command()
@click.option("--json", "as_json", is_flag=True, help="An object for programs.")
@click.pass_obj
def status(config: str, as_json: bool) -> None:
    """Show what waits to be indexed, dead letters, and the workers.

    Times are in UTC.
    """
    with application(config) as engines:
        found = sync_status(engines)
    if as_json:
        totals = asdict(found.total)
        del totals["model"]
        plain = {"total": totals, **asdict(found)}
        click.echo(orjson.dumps(plain, option=orjson.OPT_INDENT_2))
        return
    console = Console()
    console.print(_models(found))
    if found.workers:
        console.print(_workers(found))
    else:
        console.print("No worker is running.")


def _models(found: SyncStatus) -> Table:
    table = Table("Model", "Waiting", "Oldest", "Retried", "Dead letters")
    for model in (*found.models, found.total):
        oldest = "-" if model.oldest is None else f"{model.oldest:.1f} s"
        numbers = [model.waiting, oldest, model.retried, model.dead]
        table.add_row(escape(model.model) or "[b]all[/b]", *map(str, numbers))
    return table


def _workers(found: SyncStatus) -> Table:
    table = Table("Worker", "State", "Since", "Last seen", "Documents")
    for worker in found.workers:
        table.add_row(
            escape(worker.name),
            "[red]lost[/red]" if worker.lost else "alive",
            f"{worker.started_at:%Y-%m-%d %H:%M:%S}",
            f"{worker.seen_at:%Y-%m-%d %H:%M:%S}",
            str(worker.documents),
        )
    return table
