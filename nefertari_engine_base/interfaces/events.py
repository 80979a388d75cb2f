"""What subscribers are sent: events in a transaction and after its commit."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    pass


class IInTransaction(Interface):
    """An event that is sent in the transaction; a subscriber may raise and veto."""

    model = Attribute("The primary's class.")
    changes = Attribute("Sequence of Change.")
    transaction = Attribute("ITransactionLog of the running transaction.")
    primary = Attribute("The IPrimaryEngine that was changed.")


class IDocumentChanged(IInTransaction):
    """One document changed."""

    change = Attribute("The Change.")
    instance = Attribute("The primary's instance.")

    def to_dict() -> Mapping[str, Any]:
        """The fields of the instance as plain data, built on demand."""


class IDocumentCreated(IDocumentChanged):
    """A row was inserted."""


class IDocumentUpdated(IDocumentChanged):
    """A row was updated."""


class IDocumentDeleted(IDocumentChanged):
    """A row was deleted."""


class IDocumentsChanged(IInTransaction):
    """A statement changed many rows."""

    action = Attribute("Action of the statement.")


class ITableChanging(Interface):
    """A statement is about to change rows of a table that documents depend on."""

    table = Attribute("The name of the table, or an empty string.")
    action = Attribute("Action of the statement.")
    statement = Attribute("The statement as text, with placeholders for values.")
    documents = Attribute("Names of the models whose documents it may touch.")
    transaction = Attribute("ITransactionLog of the running transaction.")
    primary = Attribute("The IPrimaryEngine that is changed.")

    def touch(secondary: str, documents: Collection[str]) -> None:
        """Write entries, for this secondary, of the documents of these models that the
        statement touches."""

    def owe(secondary: str, documents: Collection[str]) -> None:
        """Owe, to this secondary, those of these models whose documents the statement
        touches."""


class IChangesCommitted(Interface):
    """A transaction with changes was committed."""

    changes = Attribute("Sequence of Change.")
    primary = Attribute("The IPrimaryEngine that was changed.")
