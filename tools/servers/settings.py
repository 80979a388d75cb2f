"""Everything that the environment decides, read once into a frozen value."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tools.servers.errors import ServersError

NAMES = ("elasticsearch", "opensearch", "postgresql", "mongodb")

#: What stands before another server, whose URL the environment has to give.
BEFORE_OTHERS = ("pgbouncer",)

MONGODB_STORAGES = ("memory", "h2")


def url_variable(name: str) -> str:
    """Return the environment variable that holds the URL of the server ``name``."""
    return f"{name.upper()}_URL"


@dataclass(frozen=True)
class Settings:
    """Where servers are looked for, and how they are started."""

    #: Folder of the downloads; outlives every run.
    cache: Path
    #: Servers that somebody else runs, name -> URL. Used as they are, never stopped.
    urls: Mapping[str, str] = field(default_factory=dict)
    #: Heap of one search server, in the notation of Java's ``-Xmx``.
    heap: str = "1g"
    #: Elasticsearch version to run; None is the newest that the found JDK can run.
    elasticsearch_version: str | None = None
    #: ``memory`` (forgets at a restart) or ``h2`` (a file that survives a restart).
    mongodb_storage: str = "memory"
    #: Whether missing Debian packages may be installed with apt-get.
    may_install: bool = False
    #: The JDK to try first.
    java_home: Path | None = None
    #: Folders of executables, as in ``PATH``.
    search_path: str = os.defpath
    #: Where Debian installs JDKs, one folder each.
    jvm_folder: Path = Path("/usr/lib/jvm")
    #: Where Debian installs PostgreSQL, one folder per major version.
    postgresql_folder: Path = Path("/usr/lib/postgresql")

    def __post_init__(self) -> None:
        if self.mongodb_storage not in MONGODB_STORAGES:
            raise ServersError(
                f"NEFERTARI_SERVERS_MONGODB_STORAGE is {self.mongodb_storage!r}; "
                f"set it to one of: {', '.join(MONGODB_STORAGES)}."
            )

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings from ``environ``, by default that of the process.

        :raises ServersError: if a variable has a value that makes no sense.
        """
        environ = os.environ if environ is None else environ
        urls = {
            name: environ.get(url_variable(name), "")
            for name in (*NAMES, *BEFORE_OTHERS)
        }
        java_home = environ.get("JAVA_HOME")
        return cls(
            cache=_cache_folder(environ),
            urls={name: url for name, url in urls.items() if url},
            heap=environ.get("NEFERTARI_SERVERS_HEAP") or cls.heap,
            elasticsearch_version=environ.get("ELASTICSEARCH_VERSION") or None,
            mongodb_storage=environ.get("NEFERTARI_SERVERS_MONGODB_STORAGE")
            or cls.mongodb_storage,
            may_install=_is_root(),
            java_home=Path(java_home) if java_home else None,
            search_path=environ.get("PATH", os.defpath),
        )


def _is_root() -> bool:
    return os.geteuid() == 0


def _cache_folder(environ: Mapping[str, str]) -> Path:
    if chosen := environ.get("NEFERTARI_SERVERS_CACHE"):
        return Path(chosen).expanduser().absolute()
    if _is_root():
        # Root's servers run as other users, who may not look into root's home.
        return Path("/var/cache/nefertari-servers")
    caches = environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "nefertari-servers"
