"""``python -m chaos.faults [--trials N] [--seed SEED]``: one fault at a time."""

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

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from chaos.application import Application, application, write_ini
from chaos.comparing import Difference, compare_some
from chaos.door import Door
from chaos.models import Author, Book
from chaos.report import coloured, describe_machine, make_console
from chaos.trials import FAULTS, VICTIM, WITHOUT_DRAIN, Stage, Trial
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
    database_url: str, search_url: str, trials: int, seed: str,
    faults: Sequence[str] = tuple(FAULTS),
) -> Iterator[Row]:  # fmt: skip
    """Try faults, one after the other.

    :param database_url: of an empty database on PostgreSQL.
    """
    with _stage(database_url, search_url, seed) as stage:
        first = 1
        for name in faults:
            yield _try(stage, name, range(first, first + trials))
            first += trials


def _try(stage: Stage, name: str, numbers: range) -> Row:
    fault = FAULTS[name]
    row = Row(name, len(numbers), Difference(), 0, 0.0)
    begun = time.monotonic()
    for number in numbers:
        trial = Trial(stage, number)
        fault(trial)
        if fault not in WITHOUT_DRAIN:
            drain(stage.app.engines)
        row.difference.add(compare_some(stage.app, Book, trial.keys))
        authors = (number, trial.keys[-1])
        row.difference.add(compare_some(stage.app, Author, authors))
        row.waiting += stage.app.waiting()
    row.seconds = time.monotonic() - begun
    return row


@contextmanager
def _stage(database_url: str, search_url: str, seed: str) -> Iterator[Stage]:
    """An application behind a door, and another one that is killed."""
    url, door = sa.make_url(database_url), Door(search_url)
    settings = {
        "elasticsearch.hosts": door.url,
        "elasticsearch.index_prefix": f"faults-{os.getpid()}",
        "nefertari.sync": "inline",
        # Every trial has to find out by itself that the server is gone.
        "nefertari.sync.pause_after_failure": 0,
    }
    killed = url.update_query_dict({"application_name": VICTIM})
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        inis = [
            write_ini(Path(folder) / name, {**settings, "sqlalchemy.url": text})
            for name, text in (("own.ini", _text(url)), ("killed.ini", _text(killed)))
        ]
        with application(inis[0]) as app, victim(inis[1]) as one:
            app.engines.setup_database()
            try:
                yield Stage(app, door, one, random.Random(seed))
            finally:
                _delete_indices(app)
                door.shut()


def _text(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


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
        "--trials", type=int, default=200, help="of each fault; default 200"
    )
    parser.add_argument("--seed", help="of all random choices; default random")
    options = parser.parse_args(arguments)
    seed, console = options.seed or secrets.token_hex(4), make_console()
    describe_machine(console, seed)
    # That a server cannot be reached is what is wanted here.
    logging.basicConfig(level=logging.ERROR)
    try:
        with running("postgresql", "elasticsearch") as urls:
            rows = _run_all(console, urls, options.trials, seed)
    except ServersError as error:
        console.print(str(error), style="red", markup=False)
        return 1
    show(console, rows)
    return 0 if all(row.passed for row in rows) else 1


def _run_all(
    console: Console, urls: Mapping[str, str], trials: int, seed: str
) -> list[Row]:
    rows = []
    for row in run(urls["postgresql"], urls["elasticsearch"], trials, seed):
        counts = "/".join(map(str, row.difference.counts))
        console.print(f"{row.fault}: {counts}", highlight=False)
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
