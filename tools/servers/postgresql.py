"""PostgreSQL: a scratch cluster of the version that Debian has installed."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from signal import Signals

from tools.servers import debian
from tools.servers.account import Account
from tools.servers.errors import MissingDependency, ServerFailed
from tools.servers.ports import LOOPBACK
from tools.servers.process import Command
from tools.servers.recipe import Finding, Recipe, Scratch

#: Name of the database and of its user.
_NEFERTARI = "nefertari"

_PURPOSE = "PostgreSQL is needed, and no initdb was found"

_OPTIONS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "wal_level": "logical",
    "max_connections": "200",
    "shared_buffers": "256MB",
    # The tests kill this server, and what it has acknowledged must then be there.
    "fsync": "on",
    # Two-phase commits, which the default of 0 forbids.
    "max_prepared_transactions": "20",
}


class PostgreSQL(Recipe):
    """One cluster with a database and a superuser, trusted from loopback."""

    account_name = "postgres"

    def fetch(self) -> None:
        """Find the programs; install the Debian package if they are not there."""
        if not self._find():
            debian.install(self.settings, "postgresql", _PURPOSE)
            _stop_default_cluster(self._programs)

    def prepare(self, scratch: Scratch) -> None:
        """Make the cluster, and the database while nobody can connect yet."""
        cluster = str(scratch.folder / "data")
        self._run(
            scratch.account,
            "initdb",
            *("--pgdata", cluster, "--username", _NEFERTARI, "--auth", "trust"),
            # A byte order that is the same everywhere, with all of Unicode's letters.
            *("--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"),
        )
        self._run(
            scratch.account,
            "postgres",
            *("--single", "-D", cluster, "postgres"),
            text=f"CREATE DATABASE {_NEFERTARI}\n",
        )

    def command(self, scratch: Scratch) -> Command:
        """Return the server in the foreground."""
        options = {**_OPTIONS, "port": str(scratch.ports[0])}
        return Command(
            (
                str(self._programs / "postgres"),
                *("-D", str(scratch.folder / "data")),
                *(f"--{key}={value}" for key, value in options.items()),
            ),
            # SIGTERM would wait for the clients to leave.
            stop_signal=Signals.SIGINT,
        )

    def url(self, scratch: Scratch) -> str:
        """Return the URL in SQLAlchemy's notation, for psycopg 3."""
        address = f"{LOOPBACK}:{scratch.ports[0]}"
        return f"postgresql+psycopg://{_NEFERTARI}@{address}/{_NEFERTARI}"

    def is_ready(self, scratch: Scratch) -> bool:
        """Ask with PostgreSQL's own program, which knows of recovery after a crash."""
        address = ("--host", LOOPBACK, "--port", str(scratch.ports[0]))
        question = (self._programs / "pg_isready", "--quiet", *address)
        return subprocess.run(question, check=False).returncode == 0

    def findings(self) -> Iterator[Finding]:
        """Tell which PostgreSQL is here."""
        if programs := self._find():
            yield Finding(f"PostgreSQL in {programs}")
        else:
            yield Finding(debian.missing("postgresql", _PURPOSE), is_missing=True)

    @cached_property
    def _programs(self) -> Path:
        if found := self._find():
            return found
        raise MissingDependency(debian.missing("postgresql", _PURPOSE))

    def _find(self) -> Path | None:
        """Return the newest version's folder of programs."""
        installed = self.settings.postgresql_folder.glob("*/bin/initdb")
        if versions := sorted(installed, key=_major_version):
            return versions[-1].parent
        on_path = shutil.which("initdb", path=self.settings.search_path)
        return Path(on_path).resolve().parent if on_path else None

    def _run(
        self, account: Account, program: str, *arguments: str, text: str = ""
    ) -> None:
        outcome = subprocess.run(
            (self._programs / program, *arguments),
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            user=None if account.is_current else account.uid,
            group=None if account.is_current else account.gid,
            extra_groups=None if account.is_current else (),
            cwd="/",
        )
        if outcome.returncode:
            raise ServerFailed(
                f"PostgreSQL's {program} failed; it says:\n{outcome.stdout}"
            )


def _major_version(initdb: Path) -> int:
    folder = initdb.parent.parent.name
    return int(folder) if folder.isdigit() else 0


def _stop_default_cluster(programs: Path) -> None:
    """Stop what Debian starts when it installs PostgreSQL; nobody asked for it."""
    version = programs.parent.name
    stop = ("pg_ctlcluster", version, "main", "stop")
    subprocess.run(stop, check=False, capture_output=True)
