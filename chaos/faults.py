"""``python -m chaos.faults [--primary NAME] [--trials N]``: one fault at a time."""

from __future__ import annotations

import argparse
import logging
import os
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from chaos.application import Application, application, write_ini
from chaos.comparing import Difference, compare_some
from chaos.door import Door
from chaos.primaries import NAMES, primary_named
from chaos.report import coloured, describe_machine, make_console
from chaos.trials import Stage, Trial
from chaos.victim import victim
from nefertari_engine_base.sync.worker import drain
from tools.servers import ServersError, running


@dataclass
class Row:
    """What came of all trials of one fault.

    :attr difference: between index and rows, of all trials together.
    :attr waiting: entries that were left in the outbox.
    :attr seconds: of all trials.
    """

    fault: str
    trials: int
    difference: Difference
    waiting: int
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing was lost, nothing appeared, and nothing is waiting."""
        return not self.difference and not self.waiting


def run(
    primary: str, database_url: str, search_url: str, trials: int, seed: str,
    faults: Sequence[str] | None = None,
) -> Iterator[Row]:  # fmt: skip
    """Try faults, one after the other.

    :param primary: name of the primary; see :mod:`chaos.primaries`.
    :param database_url: of an empty database of that.
    :param faults: their names; all of the primary by default.
    """
    with _stage(primary, database_url, search_url, seed) as stage:
        first = 1
        for name in faults or stage.app.kind.faults:
            yield _try(stage, name, range(first, first + trials))
            first += trials


def _try(stage: Stage, name: str, numbers: range) -> Row:
    app = stage.app
    fault = app.kind.faults[name]
    row = Row(name, len(numbers), Difference(), 0, 0.0)
    begun = time.monotonic()
    for number in numbers:
        fault(Trial(stage, number))
        if fault not in app.kind.without_drain:
            stage.database.settle(patient=False)
            drain(app.engines)
        for model, keys in app.kind.judged(number).items():
            row.difference.add(compare_some(app, model, keys))
        row.waiting += app.waiting()
    row.seconds = time.monotonic() - begun
    return row


@contextmanager
def _stage(
    primary: str, database_url: str, search_url: str, seed: str
) -> Iterator[Stage]:
    """An application behind a door, and another one that is killed."""
    door = Door(search_url)
    settings = {
        "elasticsearch.hosts": door.url,
        "elasticsearch.index_prefix": f"faults-{os.getpid()}",
        "nefertari.sync": "inline",
        # Every trial has to find out by itself that the server is gone.
        "nefertari.sync.pause_after_failure": 0,
    }
    with (
        tempfile.TemporaryDirectory(prefix="faults-") as folder,
        primary_named(primary).database(database_url) as database,
    ):
        inis = [
            write_ini(Path(folder) / name, primary, url, settings)
            for name, url in (
                ("own.ini", database.url),
                ("killed.ini", database.victims_url),
            )
        ]
        with application(inis[0]) as app, victim(inis[1]) as one:
            app.engines.setup_database()
            try:
                yield Stage(app, database, door, one, random.Random(seed))
            finally:
                _delete_indices(app)
                door.shut()


def _delete_indices(app: Application) -> None:
    client, prefix = app.secondary.client, app.secondary.settings.index_prefix
    for name in client.indices.get(index=f"{prefix}-*").body:
        client.indices.delete(index=name)


def show(console: Console, rows: Sequence[Row]) -> None:
    """Print the table."""
    table = Table(title="faults", title_justify="left")
    table.add_column("fault")
    for name in ("trials", "documents", "lost", "ghosts", "stale", "waiting", "s"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.fault,
            f"{row.trials:,}",
            f"{row.difference.rows:,}",
            *coloured(row.difference),
            str(row.waiting),
            f"{row.seconds:.1f}",
        )
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try every fault; status 0 only if nothing was lost and nothing appeared."""
    parser = argparse.ArgumentParser(
        prog="python -m chaos.faults",
        description="Provoke one fault at a time, and compare the index with the rows.",
    )
    parser.add_argument(
        "--primary",
        choices=NAMES,
        default=NAMES[0],
        help=f"what has the data; default {NAMES[0]}",
    )
    parser.add_argument(
        "--trials", type=int, default=200, help="of each fault; default 200"
    )
    parser.add_argument("--seed", help="of all random choices; default random")
    options = parser.parse_args(arguments)
    seed, console = options.seed or secrets.token_hex(4), make_console()
    describe_machine(console, seed)
    # That a server cannot be reached is what is wanted here.
    logging.basicConfig(level=logging.ERROR)
    try:
        with running(options.primary, "elasticsearch") as urls:
            rows = _run_all(console, options.primary, urls, options.trials, seed)
    except ServersError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    show(console, rows)
    return 0 if all(row.passed for row in rows) else 1


def _run_all(
    console: Console, primary: str, urls: Mapping[str, str], trials: int, seed: str
) -> list[Row]:
    rows = []
    for row in run(primary, urls[primary], urls["elasticsearch"], trials, seed):
        counts = "/".join(map(str, row.difference.counts))
        console.print(f"{row.fault}: {counts}", highlight=False)
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
