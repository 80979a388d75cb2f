"""pytest in a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.peers.sqlalchemy.databases import database
from tests.peers.sqlalchemy.interpreters import interpreter
from tests.peers.sqlalchemy.options import Options
from tests.peers.sqlalchemy.places import ROOT
from tests.peers.sqlalchemy.records import Record, read
from tests.peers.sqlalchemy.sources import source

#: Exit status of pytest when all passed, and when some failed.
_RAN = (0, 1)


class DidNotRun(Exception):
    """pytest ended by itself, with these last lines."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What tests are run with.

    :attr version: of SQLAlchemy.
    :attr database: see :data:`.databases.NAMES`.
    :attr processes: of pytest-xdist; 0 is none.
    :attr shows_progress: whether pytest prints where it is.
    """

    version: str
    database: str
    processes: int = 0
    shows_progress: bool = True

    def run(self, tests: Sequence[str], **options: object) -> list[Record]:
        """Run files or tests, named as from SQLAlchemy's folder.

        :param options: see :class:`~.options.Options`.
        :raises DidNotRun: if pytest could not.
        """
        folder = source(self.version)
        with tempfile.TemporaryDirectory(prefix="peers") as scratch:
            work = Path(scratch)
            given = Options(records=str(work / "records"), **options)  # type: ignore[arg-type]
            with database(self.database, work) as url:
                command = self._command(folder, tests, url)
                self._execute(command, work, given)
            return list(read(sorted(work.glob("records*"))))

    def _command(self, folder: Path, tests: Sequence[str], url: str) -> list[str]:
        return [
            # Without the user's packages SQLAlchemy's plugin takes the installed one.
            *(str(interpreter(self.version)), "-s", "-m", "pytest"),
            *("-c", str(folder / "pyproject.toml"), "--rootdir", str(folder)),
            *("-p", "tests.peers.sqlalchemy.plugin", "-p", "no:cacheprovider"),
            *("-p", "xdist", "-n", str(self.processes)) * bool(self.processes),
            *("-qq", "--tb=no", "-rN", "--disable-warnings", "--maxfail=1000000"),
            *("--dburi", url),
            *(str(folder / test) for test in tests),
        ]

    def _execute(self, command: Sequence[str], work: Path, options: Options) -> None:
        environment = {
            **os.environ,
            **options.environment(),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            # What happens to be installed here is no part of SQLAlchemy's tests.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        log = work / "log"
        with log.open("w") as file:
            ended = subprocess.run(
                command,
                cwd=work,
                env=environment,
                stdout=None if self.shows_progress else file,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if ended.returncode not in _RAN:
            last = log.read_text().splitlines()[-40:]
            raise DidNotRun(
                f"pytest ended with status {ended.returncode}.\n" + "\n".join(last)
            )
