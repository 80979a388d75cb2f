"""``nefertari-es dead-letters``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nefertari_engine_base.values import DeadLetter
from nefertari_es.cli.application import application

_model = click.argument("model", required=False)
_id = click.argument("id_", metavar="[ID]", required=False)


@click.group("dead-letters")
def dead_letters() -> None:
    """Look after documents that the index has refused too often.

    MODEL and ID choose which of them; by default it is all.
    """


@dead_letters.command("list")
@_model
@_id
@click.option("--json", "as_json", is_flag=True, help="An array of objects.")
@click.pass_obj
def list_(config: str, model: str | None, id_: str | None, as_json: bool) -> None:
    """Show dead letters, and why each was refused."""
    with application(config) as engines:
        found = [
            letter
            for outbox in engines.outboxes()
            for letter in outbox.dead_letters(model, id_)
        ]
    if as_json:
        click.echo(orjson.dumps(list(map(_plain, found)), option=orjson.OPT_INDENT_2))
    elif not found:
        click.echo("There are no dead letters.")
    else:
        Console().print(_table(found))


@dead_letters.command()
@_model
@_id
@click.pass_obj
def retry(config: str, model: str | None, id_: str | None) -> None:
    """Have dead letters delivered again, with no refusal counted."""
    with application(config) as engines:
        count = sum(outbox.retry(model, id_) for outbox in engines.outboxes())
    click.echo(f"{_counted(count)} will be tried again.")


@dead_letters.command()
@_model
@_id
@click.option("--yes", is_flag=True, help="Do not ask before all are removed.")
@click.pass_obj
def drop(config: str, model: str | None, id_: str | None, yes: bool) -> None:
    """Remove dead letters; the index stays without their changes."""
    if model is None and not yes:
        click.confirm("Remove the dead letters of all models?", abort=True, err=True)
    with application(config) as engines:
        count = sum(outbox.drop(model, id_) for outbox in engines.outboxes())
    click.echo(f"{_counted(count)} removed.")


def _counted(count: int) -> str:
    return "1 dead letter" if count == 1 else f"{count} dead letters"


def _plain(letter: DeadLetter) -> dict[str, Any]:
    touch = letter.entry.touch
    return {
        "secondary": touch.secondary,
        "model": touch.model,
        "id": touch.key,
        "path": touch.path,
        "attempts": letter.entry.attempts,
        "reason": letter.reason,
        "created_at": letter.created_at,
        "dead_at": letter.dead_at,
    }


def _table(found: Sequence[DeadLetter]) -> Table:
    table = Table("Model", "ID", "Attempts", "Reason", "Changed", "Died")
    for letter in found:
        touch = letter.entry.touch
        # With a path it is the id of an embedded row.
        id_ = f"{touch.path} {touch.key}" if touch.path else touch.key
        times = [
            f"{time:%Y-%m-%d %H:%M:%SZ}" for time in (letter.created_at, letter.dead_at)
        ]
        attempts = str(letter.entry.attempts)
        cells = [touch.model, id_, attempts, letter.reason, *times]
        # What the index says may look like markup, and is none.
        table.add_row(*map(escape, cells))
    return table
