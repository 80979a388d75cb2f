"""PgBouncer in transaction mode, before a PostgreSQL that runs already."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

from tools.servers import debian
from tools.servers.errors import MissingDependency, ServersError
from tools.servers.ports import LOOPBACK
from tools.servers.process import Command
from tools.servers.recipe import Finding, Recipe, Scratch
from tools.servers.settings import url_variable

_PURPOSE = "PgBouncer is needed, and was not found"

#: Few sessions of the server, so that each client gets that of another soon.
_CONFIGURATION = """\
[databases]
* = host={host} port={port} user={user}

[pgbouncer]
listen_addr = {loopback}
listen_port = {own_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 6
max_client_conn = 300
logfile =
pidfile =
"""


class PgBouncer(Recipe):
    """A pooler that hands each transaction to any session of the server."""

    def fetch(self) -> None:
        """Find the program; install the Debian package if it is not there."""
        self._server()
        if not self._find():
            debian.install(self.settings, "pgbouncer", _PURPOSE)
            # Debian starts one when it installs it; nobody asked for that.
            stop = ("service", "pgbouncer", "stop")
            subprocess.run(stop, check=False, capture_output=True)

    def prepare(self, scratch: Scratch) -> None:
        """Write its configuration."""
        host, port, user, _ = self._server()
        text = _CONFIGURATION.format(
            host=host,
            port=port,
            user=user,
            loopback=LOOPBACK,
            own_port=scratch.ports[0],
        )
        (scratch.folder / "pgbouncer.ini").write_text(text)

    def command(self, scratch: Scratch) -> Command:
        """Return the pooler in the foreground."""
        program = self._find()
        if program is None:
            raise MissingDependency(debian.missing("pgbouncer", _PURPOSE))
        return Command((program, str(scratch.folder / "pgbouncer.ini")))

    def url(self, scratch: Scratch) -> str:
        """Return the URL in SQLAlchemy's notation, for psycopg 3."""
        *_, user, database = self._server()
        return f"postgresql+psycopg://{user}@{LOOPBACK}:{scratch.ports[0]}/{database}"

    def is_ready(self, scratch: Scratch) -> bool:
        """Ask whether it listens."""
        try:
            with socket.create_connection((LOOPBACK, scratch.ports[0]), timeout=1):
                return True
        except OSError:
            return False

    def findings(self) -> Iterator[Finding]:
        """Tell which one is here."""
        if program := self._find():
            yield Finding(f"PgBouncer at {program}")
        else:
            yield Finding(debian.missing("pgbouncer", _PURPOSE), is_missing=True)

    def _find(self) -> str | None:
        # Debian's is where the programs of administrators are.
        path = f"{self.settings.search_path}:/usr/sbin"
        return shutil.which("pgbouncer", path=path)

    def _server(self) -> tuple[str, int, str, str]:
        """Host, port, user and database of the server that it stands before."""
        url = self.settings.urls.get("postgresql")
        if not url:
            raise ServersError(
                f"PgBouncer stands before a PostgreSQL: start one, and name it with "
                f"{url_variable('postgresql')}."
            )
        parts = urlsplit(url)
        user, database = parts.username or "nefertari", parts.path.strip("/")
        return parts.hostname or LOOPBACK, parts.port or 5432, user, database
