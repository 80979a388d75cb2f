"""MongoDB's wire protocol, spoken by mongo-java-server.

There is no MongoDB in Debian. This stand-in has no sessions, no transactions and no
change streams, and accepts some things that it ignores (collation, validators, TTL and
text indexes); ``MONGODB_URL`` puts a real one in its place. With the storage ``h2`` its
data survives ``halt`` and ``restart``, but not always ``kill``: it acknowledges writes
before they are on the disk.
"""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from tools.servers import debian, java, maven
from tools.servers.java import Java, JavaRange
from tools.servers.maven import Artifact, Maven
from tools.servers.ports import LOOPBACK
from tools.servers.process import Command
from tools.servers.recipe import Finding, Recipe, Scratch

_VERSION = "1.47.0"
_INSTALLATION = f"mongo-java-server-{_VERSION}"
_GROUP = "de.bwaldvogel"
_ARTIFACTS = (
    Artifact(_GROUP, "mongo-java-server", _VERSION),
    Artifact(_GROUP, "mongo-java-server-h2-backend", _VERSION),
)

_JAVA = JavaRange(17)
_SOURCE = Path(__file__).with_name("MongoServer.java")


class MongoDB(Recipe):
    """One server in memory, or on a file of H2's."""

    def fetch(self) -> None:
        """Find the JDK, and download the libraries."""
        self._java()
        self._libraries()

    def prepare(self, scratch: Scratch) -> None:
        """Copy the program to where the server's user can read it."""
        shutil.copy(_SOURCE, scratch.folder)

    def command(self, scratch: Scratch) -> Command:
        """Return the program, which Java compiles as it starts it."""
        data = str(scratch.folder / "data.h2")
        return Command(
            (
                self._java().executable,
                *("-cp", f"{self._libraries()}/*"),
                str(scratch.folder / _SOURCE.name),
                str(scratch.ports[0]),
                *((data,) if self.settings.mongodb_storage == "h2" else ()),
            )
        )

    def url(self, scratch: Scratch) -> str:
        """Return the URL of the database ``nefertari``."""
        return f"mongodb://{LOOPBACK}:{scratch.ports[0]}/nefertari"

    def is_ready(self, scratch: Scratch) -> bool:
        """Ask for a connection, which it accepts once it can answer."""
        try:
            with socket.create_connection((LOOPBACK, scratch.ports[0]), timeout=10):
                return True
        except OSError:
            return False

    def findings(self) -> Iterator[Finding]:
        """Tell version, storage, JDK, and whether they are here."""
        storage = self.settings.mongodb_storage
        if jdk := java.find(self.settings, _JAVA):
            yield Finding(f"{_INSTALLATION} (storage: {storage}) on {jdk}")
        else:
            sentence = f"{_INSTALLATION} needs {_JAVA}, and none was found"
            yield Finding(debian.missing(java.PACKAGE, sentence), is_missing=True)
        yield maven.download_finding(self.settings, _INSTALLATION)

    def _java(self) -> Java:
        return java.require(self.settings, _JAVA, _INSTALLATION)

    def _libraries(self) -> Path:
        return self.installed(_INSTALLATION, self._build)

    def _build(self, work: Path) -> Path:
        libraries = work / "lib"
        Maven.require(self.settings).copy_with_dependencies(_ARTIFACTS, libraries)
        return libraries
