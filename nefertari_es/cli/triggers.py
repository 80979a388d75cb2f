"""``nefertari-es triggers``."""

from __future__ import annotations

import sys

import click
from rich.console import Console
from rich.table import Table

from nefertari_engine_base.engines import Engines
from nefertari_engine_base.interfaces import ITriggers
from nefertari_engine_base.values import TriggerProblem, TriggerState
from nefertari_es.cli.application import application


@click.group()
def triggers() -> None:
    """Look after triggers, which tell of changes that no session makes.

    They write to the outbox what a console, another program or a restore has changed.
    A worker delivers it.
    """


@triggers.command()
@click.pass_obj
def install(config: str) -> None:
    """Put triggers on the tables of all documents, or renew them.

    Run it again when models have changed. All of it is one transaction, which waits
    for those that are writing the tables.
    """
    with application(config, sets_up=True) as engines:
        states = [state for one in _triggers(engines) for state in one.install()]
    made = [s for s in states if s.problem not in (None, TriggerProblem.LEFT_OVER)]
    gone = [s for s in states if s.problem is TriggerProblem.LEFT_OVER]
    click.echo(
        f"{_count(made)} made, {len(gone)} removed, "
        f"{len(states) - len(made) - len(gone)} were right."
    )
    if made:
        click.echo(
            "What was changed without them before is not known: run nefertari-es index."
        )


@triggers.command()
@click.pass_obj
def check(config: str) -> None:
    """Show the triggers; exit status 1 if any is not as it should be."""
    with application(config, sets_up=True) as engines:
        states = [state for one in _triggers(engines) for state in one.check()]
    wrong = [state for state in states if state.problem]
    Console().print(_table(states))
    if wrong:
        click.echo(f"{_count(wrong)} not right: run nefertari-es triggers install.")
    sys.exit(1 if wrong else 0)


@triggers.command()
@click.pass_obj
def remove(config: str) -> None:
    """Remove every trigger that install has made."""
    with application(config, sets_up=True) as engines:
        states = [state for one in _triggers(engines) for state in one.remove()]
    click.echo(f"{_count(states)} removed.")


@triggers.command()
@click.option("--remove", is_flag=True, help="Print what removes them.")
@click.pass_obj
def sql(config: str, remove: bool) -> None:
    """Print the statements that make the triggers, for a migration.

    They may be repeated. Each ends with a semicolon and an empty line.
    """
    with application(config, sets_up=True) as engines:
        texts = [t for one in _triggers(engines) for t in one.script(remove=remove)]
    for text in texts:
        click.echo(f"{text};\n")


def _triggers(engines: Engines) -> list[ITriggers]:
    found = [
        triggers
        for primary in engines.primaries.values()
        for triggers in primary.triggers(tuple(engines.secondaries))
    ]
    if not found:
        raise click.ClickException(
            f"no engine of this application ({', '.join(engines.primaries)}) has "
            f"triggers. What other programs write is found by nefertari-es index."
        )
    return found


def _count(states: list[TriggerState]) -> str:
    return f"{len(states)} trigger{'' if len(states) == 1 else 's'}"


def _table(states: list[TriggerState]) -> Table:
    table = Table("Table", "Trigger", "State")
    for state in states:
        table.add_row(state.table, state.name, state.problem or "right")
    return table
