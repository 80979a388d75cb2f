"""``python -m tests.peers.sqlalchemy [--version VERSION] [--database NAME] ...``."""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence

from tests.peers.sqlalchemy import databases, runs
from tests.peers.sqlalchemy.interpreters import installed_version
from tests.peers.sqlalchemy.running import Bench, DidNotRun
from tests.peers.sqlalchemy.selection import ALL
from tests.peers.sqlalchemy.summary import lines
from tools.servers import ServersError

_BROKEN = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run once for each combination; status 0 only if all is as expected."""
    options = _parser().parse_args(arguments)
    try:
        with databases.kept_running(options.database or databases.NAMES):
            return _run_all(options)
    except (DidNotRun, FileNotFoundError, ServersError) as error:
        _say(str(error))
        return _BROKEN


def _run_all(options: argparse.Namespace) -> int:
    status = 0
    for database, mode, capture in itertools.product(
        options.database or databases.NAMES,
        options.mode or runs.MODES,
        options.capture or runs.CAPTURES[:1],
    ):
        run = runs.Run(
            bench=Bench(options.version, database, options.processes),
            tests=options.tests or ALL,
            mode=mode,
            capture=capture,
            drops=options.drop,
            shows_statements=options.show_statements,
        )
        _say(f"\n=== SQLAlchemy {run.name}\n")
        judgement = run.judge_again() if options.again else run.execute()
        for line in lines(judgement, options.named):
            _say(line)
        status |= not judgement.passed
    return status


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.peers.sqlalchemy",
        description="Run SQLAlchemy's own ORM tests with write capture switched on, "
        "and compare the index with the rows after each.",
    )
    parser.add_argument(
        "tests",
        nargs="*",
        metavar="TEST",
        help="files, folders or tests of SQLAlchemy; default test/orm",
    )
    parser.add_argument(
        "--version",
        default=installed_version(),
        help="of SQLAlchemy; default the installed one, %(default)s",
    )
    for name, choices, text in (
        ("database", databases.NAMES, "what has the rows; default all"),
        (
            "mode",
            runs.MODES,
            "columns, delivered at the end of a test; or relations, "
            "too, delivered by each commit; default both",
        ),
        ("capture", runs.CAPTURES, "nefertari.capture; default session"),
    ):
        parser.add_argument(f"--{name}", action="append", choices=choices, help=text)
    parser.add_argument(
        "--processes", type=int, default=0, help="of pytest-xdist; default none"
    )
    parser.add_argument(
        "--named", type=int, default=4, help="tests to name of each group; default 4"
    )
    for name, text in (
        ("drop", "do not write every second document: has to fail"),
        ("show-statements", "SQLAlchemy's assertions see our statements, too"),
        ("again", "run nothing, and print the summary of the last run"),
    ):
        parser.add_argument(f"--{name}", action="store_true", help=text)
    return parser


if __name__ == "__main__":
    sys.exit(main())
