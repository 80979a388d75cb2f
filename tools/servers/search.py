"""What Elasticsearch and OpenSearch have in common, as they have a common ancestor."""

import shutil
import urllib.error
import urllib.request
import zipfile
from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from tools.servers.java import Java
from tools.servers.maven import Artifact, Maven
from tools.servers.ports import LOOPBACK
from tools.servers.process import Command
from tools.servers.recipe import Recipe, Scratch

# Loopback is reached without the proxy that the environment may name.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class SearchRecipe(Recipe):
    """A search server of one node, from its distribution for integration tests."""

    port_count = 2
    #: What the names of the server's environment variables begin with.
    variable_prefix: ClassVar[str]
    #: Its start script, in the folder bin.
    script: ClassVar[str]

    @abstractmethod
    def java(self) -> Java:
        """Return the JDK that it runs on."""

    @abstractmethod
    def home(self) -> Path:
        """Return the folder of the installed server, which no run writes to."""

    @abstractmethod
    def options(self) -> dict[str, str]:
        """Return the settings that only this kind of server knows."""

    def prepare(self, scratch: Scratch) -> None:
        """Give it a copy of its configuration, since it writes into that folder."""
        shutil.copytree(self.home() / "config", scratch.folder / "config")
        for name in ("data", "logs", "tmp"):
            (scratch.folder / name).mkdir()

    def command(self, scratch: Scratch) -> Command:
        """Return its start script with settings for one node on loopback."""
        heap = self.settings.heap
        prefix = self.variable_prefix
        return Command(
            (
                str(self.home() / "bin" / self.script),
                *(f"-E{key}={value}" for key, value in self._options(scratch).items()),
            ),
            {
                f"{prefix}_JAVA_HOME": str(self.java().home),
                f"{prefix}_PATH_CONF": str(scratch.folder / "config"),
                f"{prefix}_TMPDIR": str(scratch.folder / "tmp"),
                f"{prefix}_JAVA_OPTS": f"-Xms{heap} -Xmx{heap}",
                # The launcher is a Java program with temporary files of its own.
                "CLI_JAVA_OPTS": f"-Djava.io.tmpdir={scratch.folder / 'tmp'}",
            },
        )

    def url(self, scratch: Scratch) -> str:
        """Return the URL of its REST interface."""
        return f"http://{LOOPBACK}:{scratch.ports[0]}"

    def is_ready(self, scratch: Scratch) -> bool:
        """Ask for a health of yellow: after a restart, the data is back."""
        # `GET /` would be simpler, but the distribution for tests does not answer it.
        question = "/_cluster/health?wait_for_status=yellow&timeout=0s"
        try:
            with _opener.open(self.url(scratch) + question, timeout=10) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _options(self, scratch: Scratch) -> dict[str, str]:
        http, transport = scratch.ports
        return {
            "discovery.type": "single-node",
            "network.host": LOOPBACK,
            "http.port": str(http),
            "transport.port": str(transport),
            "path.data": str(scratch.folder / "data"),
            "path.logs": str(scratch.folder / "logs"),
            # A disk that is nearly full would make every index read-only.
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            **self.options(),
        }


def unpack(mvn: Maven, artifact: Artifact, work: Path) -> Path:
    """Fetch a distribution and unpack it; return its folder inside ``work``."""
    archive = mvn.copy(artifact, work)
    _extract(archive, work)
    archive.unlink()
    return work / artifact.full_name


def _extract(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        for member in content.infolist():
            path = Path(content.extract(member, folder))
            # The module of the standard library forgets which files are executable.
            if (mode := member.external_attr >> 16) and not member.is_dir():
                path.chmod(mode & 0o777)
