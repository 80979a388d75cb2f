"""What the crash tests have to know of a primary engine: all that differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from chaos.application import Application
    from chaos.comparing import Documents
    from chaos.torments import Often
    from chaos.trials import Fault
    from chaos.writer import Writer
    from nefertari_engine_base.engines import Engines

#: Names of the servers that a run can have its data on, and where their primary is.
_MODULES = {"postgresql": "chaos.sql", "mongodb": "chaos.mongo"}

NAMES: Sequence[str] = tuple(_MODULES)

#: The versions of the application.
OLD, NEW = "old", "new"


class Database(Protocol):
    """A database of a run, seen from outside of the application.

    :attr url: for the application.
    :attr victims_url: for processes that are killed, or lose their connections.
    :attr claim_lasts: seconds after which the claim of a stopped worker is everybody's.
    """

    url: str
    victims_url: str
    claim_lasts: float

    def count_by_kind(self) -> Mapping[str, int]:
        """How many changes were committed, by kind."""

    def end_connections(self, random_: Random) -> bool:
        """End a few connections of victims; whether there were any."""

    def drop_pooled(self, random_: Random) -> bool:
        """Have the pooler drop its connections; whether there is a pooler."""

    def claims(self) -> frozenset[object]:
        """What names the claims that victims have at the moment."""

    def back_up(self, path: Path) -> None:
        """Make a backup, while victims write."""

    def restore(self, path: Path) -> None:
        """Come back to the backup, while deliveries go on."""

    def await_victims(self) -> None:
        """Wait until nothing of victims is under way, all of which are gone."""

    def settle(self, *, patient: bool) -> None:
        """Wait until what is left may be delivered, once nobody writes any more.

        :param patient: leases are waited for; otherwise time is made to pass.
        :raises RuntimeError: if that takes too long.
        """

    def close(self) -> None:
        """Let go of it."""


class Primary(Protocol):
    """A primary engine, its models, and what is done to them.

    :attr includes: the module that an application includes.
    :attr indexed: the models that have documents.
    :attr full: what is done in a full run, and how often.
    :attr short: what is done in a run of less than a minute.
    :attr faults: what one trial of each fault does.
    :attr without_drain: faults after which nothing may have changed.
    """

    includes: str
    indexed: Sequence[type[Any]]
    full: Mapping[str, Often]
    short: Mapping[str, Often]
    faults: Mapping[str, Fault]
    without_drain: frozenset[Fault]

    def settings(self, url: str) -> Mapping[str, object]:
        """The settings of an application whose data is there."""

    def declare(self, config: Any, version: str) -> None:
        """Give the models documents.

        :param version: of the application: the old one has a model with fewer fields,
            and another one without documents.
        """

    def application(self, engines: Engines) -> Application:
        """The application, once it is configured."""

    def fill(self, app: Application) -> None:
        """Make what is there in any case, in an empty database."""

    def database(
        self, url: str, pooler_url: str | None = None
    ) -> AbstractContextManager[Database]:
        """The database of that URL, which victims may reach by a pooler."""

    def writer(self, app: Application, number: int, seed: str) -> Writer:
        """One that makes random changes."""

    def victim(self, app: Application, number: int, how: str) -> Iterator[None]:
        """Change what belongs to a trial, until it is killed; yields after each
        commit."""

    def rows(
        self, app: Application, model: type[Any], numbers: Sequence[int] | None
    ) -> Documents:
        """The documents that there should be, by id, as JSON has them.

        :param numbers: only those of these keys; ``None``: all.
        """

    def judged(self, number: int) -> Mapping[type[Any], Sequence[int]]:
        """The keys that a trial may have changed, by model."""


def primary_named(name: str) -> Primary:
    """The primary of one of :data:`NAMES`; nothing of the others is imported."""
    make: Callable[[], Primary] = import_module(_MODULES[name]).make
    return make()
