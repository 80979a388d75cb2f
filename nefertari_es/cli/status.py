"""``nefertari-es status``."""

from __future__ import annotations

from dataclasses import asdict

import click
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nefertari_engine_base.exceptions import SecondaryError, SecondaryUnavailable
from nefertari_engine_base.sync.status import sync_status
from nefertari_engine_base.values import SyncStatus
from nefertari_es.cli.application import application


@click.command()
@click.option("--json", "as_json", is_flag=True, help="An object for programs.")
@click.pass_obj
def status(config: str, as_json: bool) -> None:
    """Show what waits to be indexed, what is owed, dead letters, and the workers.

    The indices are asked whether they have lost anything. Times are in UTC.
    """
    with application(config) as engines:
        try:
            engines.watch.check()
        except (SecondaryError, SecondaryUnavailable) as error:
            click.echo(f"Warning: the indices were not checked. {error}", err=True)
        found = sync_status(engines)
    if as_json:
        totals = asdict(found.total)
        del totals["model"]
        plain = {"total": totals, "throughput": found.throughput, **asdict(found)}
        click.echo(orjson.dumps(plain, option=orjson.OPT_INDENT_2))
        return
    console = Console()
    console.print(_models(found))
    if found.debts:
        console.print(_debts(found))
        console.print("Make up for it with nefertari-es catch-up.")
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


def _debts(found: SyncStatus) -> Table:
    table = Table("Owed", "Why", "Since", "Times")
    for debt in found.debts:
        since = f"{debt.since:%Y-%m-%d %H:%M:%S}"
        cells = [escape(debt.model), escape(debt.reason), since, str(debt.count)]
        table.add_row(*cells)
    return table


def _workers(found: SyncStatus) -> Table:
    table = Table("Worker", "State", "Since", "Last seen", "Documents", "In 1 s")
    for worker in found.workers:
        table.add_row(
            escape(worker.name),
            "[red]lost[/red]" if worker.lost else "alive",
            f"{worker.started_at:%Y-%m-%d %H:%M:%S}",
            f"{worker.seen_at:%Y-%m-%d %H:%M:%S}",
            str(worker.documents),
            f"{worker.per_second:.0f}",
        )
    return table
