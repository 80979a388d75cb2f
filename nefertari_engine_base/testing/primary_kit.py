"""What the author of a primary engine writes to run its conformance suite.

A kit knows the engine's own models and how an application writes them. The suites know
neither: they say "change this film", and look at what becomes of it.

The models are four classes of the store's own kind, with exactly these names and
fields. References are in the suites' words the keys of what is referred to; the
reference to something that is deleted is cleared.

``Country``
    ``id`` (an integer that its writer gives, the key), ``name``
``Genre``
    ``id``, ``name``
``Person``
    ``id``, ``name``, ``notes`` (all text but the key), ``country`` (refers to a
    country)
``Film``
    ``id``, ``title``, ``notes`` (text), ``year`` (integer), ``rating`` (float),
    ``gross`` (decimal), ``released`` (date), ``published`` (boolean, true unless said
    otherwise), ``director`` (refers to a person), ``genres`` (refers to many genres)

Films and persons get documents. Films embed their director with the country, and their
genres; persons embed their country. Nobody's documents show ``notes``, and a film that
is not published has no document.

What a store can do beyond this is a :class:`~..values.Capability`. Each has a class
here, which a kit inherits in place of :class:`PrimaryKit`, and a suite.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from nefertari_engine_base.interfaces import IOutbox, IPrimaryEngine

#: Names of the models.
MODELS = ("Country", "Genre", "Person", "Film")


class Died(BaseException):
    """What the suites raise where the process of a writer is to die.

    No :class:`Exception`, so that nobody takes it for the store's refusal.
    """


class PrimaryKit(ABC):
    """A store with nothing in it.

    Each write is committed when the method returns, unless it stands in a
    ``transaction``. May be used by several threads.

    :attr models: the four classes, by name.
    :attr clashes: what the store raises for writes that get into each other's way, and
        that were not made.
    """

    models: Mapping[str, type]
    clashes: tuple[type[Exception], ...] = ()

    @abstractmethod
    def make_engine(self) -> IPrimaryEngine:
        """A new engine on the store; the suites close it."""

    @abstractmethod
    def is_published(self, model: Any) -> Any:
        """The condition that a film is published, in the terms of the store; for
        ``@secondary(when=...)``."""

    @abstractmethod
    def create(self, model: type, fields: Mapping[str, Any]) -> Any:
        """Create one as applications usually do; the instance.

        :param fields: all values that are not ``None``, the key among them.
        """

    @abstractmethod
    def change(self, model: type, key: int, fields: Mapping[str, Any]) -> Any:
        """Load one, set fields, and save it; the instance, or ``None`` without one."""

    @abstractmethod
    def delete(self, model: type, key: int) -> Any:
        """Load one, and delete it; the instance, or ``None`` without one."""

    @abstractmethod
    def create_many(self, model: type, rows: Sequence[Mapping[str, Any]]) -> None:
        """Create many by one statement; no row has ``genres``."""

    @abstractmethod
    def change_where(
        self, model: type, field: str, value: object, fields: Mapping[str, Any]
    ) -> None:
        """Change all whose field equals a value by one statement, unseen."""

    @abstractmethod
    def delete_where(self, model: type, field: str, value: object) -> None:
        """Delete all whose field equals a value by one statement, unseen."""

    @abstractmethod
    def forget(self) -> None:
        """Forget what was read: a request ends."""

    @abstractmethod
    def pass_time(self, outbox: IOutbox, seconds: float) -> None:
        """Make this time pass for what the outbox remembers, claims of others that
        are under way excepted where they are locked by the store."""

    def close(self) -> None:  # noqa: B027 - there may be nothing to do
        """Give back every resource."""


class TransactionalKit(PrimaryKit):
    """A store with :attr:`~..values.Capability.TRANSACTIONAL`."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """Writes of this thread in the block are one transaction: committed at its end,
        rolled back by an exception, a :exc:`Died` among them."""


class SavepointsKit(TransactionalKit):
    """A store with :attr:`~..values.Capability.SAVEPOINTS` as well."""

    @abstractmethod
    def savepoint(self) -> AbstractContextManager[None]:
        """A part of a transaction, which an exception undoes and leaves."""


class LockingKit(TransactionalKit):
    """A store with :attr:`~..values.Capability.SKIP_LOCKED`."""

    @abstractmethod
    def disconnect(self) -> None:
        """End the connections of all deliveries that are under way, as the death of
        their processes does; they have ended when the method returns."""


class EntryFirstKit(PrimaryKit):
    """A store without :attr:`~..values.Capability.TRANSACTIONAL`, whose entries are
    written before the documents."""

    @abstractmethod
    def intercepted(
        self,
        *,
        before: Callable[[], object] | None = None,
        after: Callable[[], object] | None = None,
    ) -> AbstractContextManager[None]:
        """Call something around each :meth:`PrimaryKit.change_where` of the block.

        :param before: just before the write reaches the store.
        :param after: just after it did, and before the writer hears of it.
        """
