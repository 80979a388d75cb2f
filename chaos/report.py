"""Results as tables to read."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from itertools import islice

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from chaos.comparing import Difference
from chaos.run import Result

#: How many of the documents that differ are shown, for each model and sort.
_SHOWN = 5


def make_console() -> Console:
    """Where results are printed."""
    return Console(width=None if sys.stdout.isatty() else 120)


def describe_machine(console: Console, seed: str) -> None:
    """Print what is needed to do the same again."""
    load = os.getloadavg()[0]
    console.print(
        f"seed {seed}; {os.cpu_count()} cores; load average before: {load:.1f}",
        highlight=False,
    )


def show(console: Console, result: Result) -> None:
    """Print everything of a run."""
    console.print(_table("changes that were committed", result.changes))
    console.print(_table("what was done", result.torments))
    console.print(_differences(result.differences))
    for model, difference in result.differences.items():
        _show_some(console, model, difference)
    plan = result.plan
    colour, verdict = ("green", "holds") if result.passed else ("red", "MISSED")
    console.print(
        f"{result.total:,} changes of {plan.changes:,} by {plan.writers} writers, with "
        f"{plan.workers} workers, in {result.seconds:.0f} s; {result.waiting} entries "
        f"waiting, {result.dead} dead letters: [{colour}]{verdict}[/]",
        highlight=False,
    )


def _table(title: str, counts: Mapping[str, int]) -> Table:
    table = Table(title=title, title_justify="left", show_header=False)
    for _ in range(3):
        table.add_column()
        table.add_column(justify="right")
    cells = iter(counts.items())
    while row := list(islice(cells, 3)):
        table.add_row(*(cell for name, count in row for cell in (name, f"{count:,}")))
    return table


def _differences(differences: Mapping[str, Difference]) -> Table:
    table = Table(title="index against rows", title_justify="left")
    table.add_column("model")
    for name in ("rows", "lost", "ghosts", "stale"):
        table.add_column(name, justify="right")
    total = Difference()
    for model, difference in differences.items():
        table.add_row(model, f"{difference.rows:,}", *coloured(difference))
        total.add(difference)
    table.add_section()
    table.add_row("all", f"{total.rows:,}", *coloured(total))
    return table


def coloured(difference: Difference) -> list[str]:
    """The counts of a difference as cells, red where something is wrong."""
    return [f"[{'red' if count else 'green'}]{count}[/]" for count in difference.counts]


def _show_some(console: Console, model: str, difference: Difference) -> None:
    for what, ids in (("lost", difference.lost), ("ghosts", difference.ghosts)):
        if ids:
            console.print(f"{model}, {what}: {escape(', '.join(ids[:_SHOWN]))}")
    for id_, fields in islice(difference.stale.items(), _SHOWN):
        for name, (row, document) in fields.items():
            values = escape(f"the row has {row!r}, the document {document!r}")
            console.print(f"{model} {escape(id_)}.{name}: {values}")
