"""What one kind of server has to say of itself to be fetched, started and asked."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tools.servers import cache
from tools.servers.account import Account
from tools.servers.process import Command
from tools.servers.settings import Settings


@dataclass(frozen=True)
class Scratch:
    """The place of one server on this machine: kept by a restart, removed by a stop."""

    #: Belongs to the account; everything that the server writes is below it.
    folder: Path
    ports: tuple[int, ...]
    account: Account


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's."""

    text: str
    #: Whether the server cannot start because of it.
    is_missing: bool = False


class Recipe(ABC):
    """How to get a server of one kind going. Stateless but for what it has found."""

    #: The user that it runs as when this process is root's.
    account_name: ClassVar[str] = "nobody"
    #: How many ports it listens on.
    port_count: ClassVar[int] = 1

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def installed(self, name: str, build: Callable[[Path], Path]) -> Path:
        """Return the folder ``name`` of the cache, which the server's user can read.

        ``build`` makes it if it is not there yet, see ``cache.installed``.
        """
        account = Account.for_server(self.account_name)
        account.check_reach(self.settings.cache, "NEFERTARI_SERVERS_CACHE")
        return cache.installed(self.settings.cache, name, build)

    @abstractmethod
    def fetch(self) -> None:
        """Find, download and install whatever is needed; called before the rest.

        :raises MissingDependency: if something is missing for good.
        """

    @abstractmethod
    def prepare(self, scratch: Scratch) -> None:
        """Write into the scratch folder what the first start needs."""

    @abstractmethod
    def command(self, scratch: Scratch) -> Command:
        """Return what starts the server, for the first time or again."""

    @abstractmethod
    def url(self, scratch: Scratch) -> str:
        """Return the URL that clients are given."""

    @abstractmethod
    def is_ready(self, scratch: Scratch) -> bool:
        """Ask the server whether it serves."""

    @abstractmethod
    def findings(self) -> Iterator[Finding]:
        """Tell what would be used and what is missing, without changing anything."""
