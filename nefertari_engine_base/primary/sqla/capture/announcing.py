"""What is told of a statement: an event before it, and who may want to know after."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection
from zope.interface import implementer

from nefertari_engine_base.events import ChangesCommitted, DocumentsChanged
from nefertari_engine_base.exceptions import UncapturedStatement
from nefertari_engine_base.interfaces import ITransactionLog
from nefertari_engine_base.primary.sqla.capture.touching import Known, spread
from nefertari_engine_base.primary.sqla.capture.transactions import Transaction
from nefertari_engine_base.values import Change, Debt, Touch
from nefertari_engine_base.values.debts import UNFOLLOWED

if TYPE_CHECKING:
    from nefertari_engine_base.primary.sqla.capture.following import Following
    from nefertari_engine_base.primary.sqla.capture.plans import Plan

_log = logging.getLogger("nefertari_engine_base.capture")

#: Characters of a statement that a message shows.
_LONGEST = 300

#: Statements that were warned of, and how many are remembered.
_warned: set[object] = set()
_MOST_WARNED = 1000


@implementer(ITransactionLog)
class Log:
    """What subscribers want to be written with a transaction.

    See :class:`~nefertari_engine_base.interfaces.ITransactionLog`.
    """

    def __init__(self) -> None:
        self.touches: dict[Touch, None] = {}
        self.debts: dict[Debt, None] = {}

    def touch(self, touches: Iterable[Touch]) -> None:
        """See :meth:`ITransactionLog.touch`."""
        self.touches.update(dict.fromkeys(touches))

    def owe(self, debts: Iterable[Debt]) -> None:
        """See :meth:`ITransactionLog.owe`."""
        self.debts.update(dict.fromkeys(debts))

    def write(
        self, connection: Connection, transaction: Transaction, following: Following
    ) -> None:
        """Write it."""
        if self.debts:
            transaction.owe(connection, following, self.debts)
        if self.touches:
            transaction.want(connection, following, list(self.touches))


class Statement:
    """A statement, for one application.

    :attr wanted: the models whose documents are to have entries, by secondary.
    :attr owed: the models that are owed in place of that, by secondary.
    """

    def __init__(
        self, following: Following, plan: Plan, text: str, transaction: Transaction
    ) -> None:
        self._following, self._plan, self._text = following, plan, text
        self._transaction = transaction
        self.wanted: Mapping[str, frozenset[str]] = {}
        self.owed: Mapping[str, frozenset[str]] = {}

    def announce(self, connection: Connection) -> None:
        """Send the event of what is going to happen."""
        plan, log = self._plan, Log()
        name = plan.table.table.name if plan.table is not None else ""
        event = self._following.publisher.publish_statement(
            log, name, plan.action, plan.documents, self._text
        )
        self.wanted, self.owed = event.wanted, event.owed
        if log.debts or log.touches:
            log.write(connection, self._transaction, self._following)

    @property
    def is_wanted(self) -> bool:
        """Whether anything is to become of what it touches."""
        return bool(self.wanted or self.owed)

    def told(self, connection: Connection, found: Iterable[Known]) -> Iterator[Touch]:
        """The touches of documents; what is owed in place of them is written."""
        owed: set[str] = set()
        for one in found:
            if self.owed and one.root not in owed:
                owed.add(one.root)
                self.owe(connection, {one.root})
            yield from spread((one,), self.wanted)

    def owe(self, connection: Connection, roots: Collection[str]) -> None:
        """Owe those of the models that are owed."""
        debts = [
            Debt(secondary, name)
            for secondary, owed in self.owed.items()
            for name in sorted(owed.intersection(roots))
        ]
        self._transaction.owe(connection, self._following, debts)

    def resync(
        self, connection: Connection, documents: frozenset[str], why: str,
        *, after: bool = False,
    ) -> None:  # fmt: skip
        """Have these models synchronised again.

        :param after: the statement has been executed.
        :raises UncapturedStatement: if that is what the settings say.
        """
        text = (
            self._text if len(self._text) <= _LONGEST else self._text[:_LONGEST] + "..."
        )
        self.owe(connection, documents)
        names = sorted(
            {name for wanted in self.wanted.values() for name in wanted & documents}
        )
        if not names:
            return
        if self._following.publisher.refuses_uncaptured:
            error = UncapturedStatement(_REFUSED.format(why, ", ".join(names), text))
            if after:
                self._transaction.doom(connection, error)
            raise error
        _warn_once(text, _RESYNC, why, ", ".join(names), text)
        debts = [
            Debt(secondary, name, UNFOLLOWED)
            for secondary, wanted in self.wanted.items()
            for name in sorted(wanted & documents)
        ]
        self._transaction.owe(connection, self._following, debts)

    def tell_unread(self, error: Exception) -> None:
        """Warn, once, that nobody is told which rows the statement changes."""
        _warn_once((self._text, "unread"), _UNREAD, error, self._text[:_LONGEST])

    def executed(
        self, connection: Connection, changes: Sequence[tuple[type, Change]]
    ) -> None:
        """Send the events of what has happened, one for each model.

        :raises Exception: what a subscriber raises; nobody can commit then.
        """
        publisher, log = self._following.publisher, Log()
        by_model: dict[type, list[Change]] = {}
        for model, change in changes:
            by_model.setdefault(model, []).append(change)
        try:
            for model, found in by_model.items():
                publisher.publish_many(log, model, found)
            log.write(connection, self._transaction, self._following)
        except BaseException as error:
            self._transaction.doom(connection, error)
            raise
        if publisher.is_heard(ChangesCommitted):
            part = self._transaction.part(self._following)
            part.changes.extend(change for _, change in changes)


def owe_all(
    connection: Connection, transaction: Transaction, following: Following, plan: Plan,
    context: Any,
) -> None:  # fmt: skip
    """Announce a statement, and have its models synchronised again."""
    statement = Statement(following, plan, context.statement, transaction)
    statement.announce(connection)
    statement.resync(connection, plan.documents, _GIVES_ROWS)


_GIVES_ROWS = "SQLite commits it by itself, and nothing else until its rows are fetched"


def tell_elsewhere(following: Following, table: str, schema: str | None) -> None:
    """Warn, once, that rows of another schema have no documents.

    :raises UncapturedStatement: if that is what the settings say.
    """
    if following.publisher.refuses_uncaptured:
        raise UncapturedStatement(_ELSEWHERE % (table, schema))
    _warn_once((table, schema), _ELSEWHERE, table, schema)


def _warn_once(key: object, message: str, *values: object) -> None:
    if key not in _warned:
        if len(_warned) >= _MOST_WARNED:
            _warned.clear()
        _warned.add(key)
        _log.warning(message, *values)


def misunderstood(error: Exception) -> str:
    """Log a defect of ours. :return: why the models of a statement are synchronised
    again."""
    _log.error(
        "A statement is not understood: this is a defect of capture", exc_info=error
    )
    return f"capture has failed to understand it ({error!r})"


def is_heard(following: Following) -> bool:
    """Whether anybody asks which rows a statement has changed."""
    return following.publisher.is_heard(DocumentsChanged, ChangesCommitted)


_RESYNC = (
    "A statement cannot be followed row by row, since %s. Workers will compare all "
    "documents of %s with their rows. Triggers follow such statements: "
    "nefertari.capture = triggers. The statement: %s"
)
_UNREAD = (
    "Subscribers are not told which rows a statement changes, since the database let "
    "nobody read them: %s. Documents follow all the same. The statement: %s"
)
_ELSEWHERE = (
    "A schema_translate_map leads statements on %s to the schema %s: its rows have no "
    "documents, since the ids of two schemas cannot be told apart. For documents of "
    "several schemas run an application for each, with an index prefix of its own and "
    "the schema in the search_path of its engine."
)
_REFUSED = (
    "A statement cannot be followed row by row, since {}, and nefertari.uncaptured = "
    "refuse. Write its rows otherwise, or execute it in `with sync.suspended({}):` and "
    "run `nefertari-es catch-up` afterwards. The statement: {}"
)
