"""Artifacts of Maven's repositories, fetched by Maven itself.

So that mirrors, proxies and credentials of the user's own settings.xml count.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from xml.sax.saxutils import escape

from tools.servers import cache, debian, java
from tools.servers.errors import MissingDependency, ServersError
from tools.servers.recipe import Finding
from tools.servers.settings import Settings

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"

_PURPOSE = "The servers are fetched by Maven, and there is no mvn in PATH"

_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>nefertari</groupId>
  <artifactId>servers</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>{dependencies}</dependencies>
</project>
"""


@dataclass(frozen=True)
class Artifact:
    """The coordinates of one file."""

    group: str
    name: str
    version: str
    kind: str = "jar"

    @property
    def full_name(self) -> str:
        """Name and version."""
        return f"{self.name}-{self.version}"

    @property
    def file_name(self) -> str:
        """The name under which Maven copies it."""
        return f"{self.full_name}.{self.kind}"

    def __str__(self) -> str:
        return f"{self.group}:{self.name}:{self.version}:{self.kind}"


class Maven:
    """The ``mvn`` command."""

    def __init__(self, executable: str, java_home: Path, settings: Settings) -> None:
        self._executable = executable
        self._java_home = java_home
        self._settings = settings

    @classmethod
    def require(cls, settings: Settings) -> Self:
        """Return Maven; install Debian's if there is none and one may.

        :raises MissingDependency: if there is none in the end.
        """
        jdk = java.require(settings, java.JavaRange(17), "Maven")
        if not (executable := find(settings)):
            debian.install(settings, "maven", _PURPOSE)
            executable = find(settings)
        if not executable:
            raise MissingDependency(
                "Maven was installed, but there is no mvn in PATH. Add its folder."
            )
        return cls(executable, jdk.home, settings)

    def copy(self, artifact: Artifact, folder: Path) -> Path:
        """Copy one artifact into the folder, and return its path."""
        options = (f"-Dartifact={artifact}", f"-DoutputDirectory={folder}")
        self._run(str(artifact), "copy", *options)
        return folder / artifact.file_name

    def copy_with_dependencies(
        self, artifacts: Sequence[Artifact], folder: Path
    ) -> None:
        """Copy artifacts and all that they need at run time into the folder."""
        folder.mkdir(parents=True, exist_ok=True)
        pom = folder / "pom.xml"
        pom.write_text(_POM.format(dependencies="".join(map(_dependency, artifacts))))
        self._run(
            ", ".join(map(str, artifacts)),
            "copy-dependencies",
            f"--file={pom}",
            "-DincludeScope=runtime",
            f"-DoutputDirectory={folder}",
        )
        pom.unlink()

    def _run(self, what: str, goal: str, *options: str) -> None:
        # Maven's own repository of downloads does not stand two writers at once.
        with cache.locked(self._settings.cache, "maven"):
            outcome = subprocess.run(
                (
                    *(self._executable, "--quiet", "--batch-mode"),
                    *("-Dstyle.color=never", f"{_PLUGIN}:{goal}", *options),
                ),
                env={**os.environ, "JAVA_HOME": str(self._java_home)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        if outcome.returncode:
            first_words = "\n".join(outcome.stdout.strip().splitlines()[:3])
            raise ServersError(
                f"Maven could not fetch {what}. Check that this version exists, the "
                f"network, and the proxy and mirrors in ~/.m2/settings.xml. Maven "
                f"says:\n{first_words}"
            )


def find(settings: Settings) -> str | None:
    """Return the path of ``mvn``."""
    return shutil.which("mvn", path=settings.search_path)


def download_finding(settings: Settings, name: str) -> Finding:
    """Tell whether ``name`` is in the cache, and if not, whether Maven can fetch it."""
    if (folder := settings.cache / name).is_dir():
        return Finding(f"downloaded to {folder}")
    if executable := find(settings):
        return Finding(f"not downloaded yet; {executable} will fetch it")
    return Finding(debian.missing("maven", _PURPOSE), is_missing=True)


def _dependency(artifact: Artifact) -> str:
    return (
        f"<dependency><groupId>{escape(artifact.group)}</groupId>"
        f"<artifactId>{escape(artifact.name)}</artifactId>"
        f"<version>{escape(artifact.version)}</version></dependency>"
    )
