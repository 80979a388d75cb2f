"""The JDKs of this machine: JAVA_HOME, then PATH, then where Debian puts them."""

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.servers import debian
from tools.servers.errors import MissingDependency
from tools.servers.settings import Settings

#: The Debian package to install. It is Java 17 in Debian 12, and 21 in Debian 13.
PACKAGE = "default-jdk-headless"


@dataclass(frozen=True)
class Java:
    """A JDK: with a compiler, which a plain run-time environment lacks."""

    home: Path
    version: int

    @property
    def executable(self) -> str:
        """Path of the ``java`` command."""
        return str(self.home / "bin" / "java")

    def __str__(self) -> str:
        return f"Java {self.version} in {self.home}"


@dataclass(frozen=True)
class JavaRange:
    """The Java versions that a server runs on."""

    minimum: int
    #: The first version that is too new; None when no such version is known.
    below: int | None = None

    def __contains__(self, version: int) -> bool:
        return version >= self.minimum and (self.below is None or version < self.below)

    def __str__(self) -> str:
        if self.below is None:
            return f"Java {self.minimum} or later"
        return f"Java {self.minimum} to {self.below - 1}"


def find(settings: Settings, wanted: JavaRange) -> Java | None:
    """Return the first JDK in the order of the search that is in the range."""
    return next((java for java in _all(settings) if java.version in wanted), None)


def require(settings: Settings, wanted: JavaRange, purpose: str) -> Java:
    """Return a JDK in the range; install Debian's if there is none and one may.

    :raises MissingDependency: if there is none in the end. ``purpose`` names what
        needs it.
    """
    if found := find(settings, wanted):
        return found
    sentence = f"{purpose} needs {wanted} (a JDK), and none was found"
    debian.install(settings, PACKAGE, sentence)
    if found := find(settings, wanted):
        return found
    raise MissingDependency(
        f"{sentence}, not even after installing {PACKAGE}. Install such a JDK and set "
        f"JAVA_HOME to its folder."
    )


def _all(settings: Settings) -> Iterator[Java]:
    seen = set()
    for candidate in _candidates(settings):
        java = _inspect(candidate) if (candidate / "bin" / "javac").exists() else None
        if java and java.home not in seen:
            seen.add(java.home)
            yield java


def _candidates(settings: Settings) -> Iterator[Path]:
    if settings.java_home:
        yield settings.java_home
    if on_path := shutil.which("java", path=settings.search_path):
        yield Path(on_path).resolve().parent.parent
    if settings.jvm_folder.is_dir():
        yield from sorted(settings.jvm_folder.iterdir())


@functools.cache
def _inspect(home: Path) -> Java | None:
    """Ask the JDK itself, since not every one has a file that tells its version."""
    try:
        told = subprocess.run(
            (home / "bin" / "java", "-XshowSettings:properties", "-version"),
            capture_output=True,
            text=True,
            timeout=60,
        ).stderr
    except (OSError, subprocess.TimeoutExpired):
        return None
    properties = dict(re.findall(r"^ *(java\.\S+) = (\S+)$", told, re.MULTILINE))
    version = properties.get("java.specification.version", "")
    if not version.isdigit():  # "1.8" and older
        return None
    return Java(Path(properties["java.home"]), int(version))
