"""What the model of the write path is made of: the scenario, the rules, the state.

A transaction's value in a row is its own number, counted from 1; 0 stands for a row
that is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

IDLE, WRITTEN, COMMITTED, ROLLED_BACK = range(4)

#: The value of rows before the first transaction.
INITIAL = -1

#: The contents of a row by statement, its own row first; empty for no document.
Contents = tuple[int, ...]


@dataclass(frozen=True)
class Transaction:
    """What a transaction writes.

    :param changes: rows that it changes, or inserts if they are not there.
    :param deletes: rows that it deletes.
    :param inline: whether its process delivers its entries right after the commit.
    :param outer: whether it takes part in an outer transaction: its process is told
        of a commit that is still to come, or never comes.
    """

    changes: tuple[int, ...] = ()
    deletes: tuple[int, ...] = ()
    inline: bool = False
    outer: bool = False

    @property
    def rows(self) -> tuple[int, ...]:
        """All rows that it writes."""
        return self.changes + self.deletes


@dataclass(frozen=True)
class Rules:
    """How things are done; the defaults are the product's on PostgreSQL."""

    worker: tuple[str, ...] = ("claim", "draw", "load", "write", "acknowledge")
    own: tuple[str, ...] = ("see", "draw", "load", "write", "acknowledge")
    #: Claims are leases, as on SQLite, instead of locks.
    leases: bool = False
    #: Each row of a document is read by a statement, with a snapshot, of its own.
    statement_per_row: bool = False
    #: Every version is the same.
    constant_version: bool = False
    #: The index keeps the write that arrives last, whatever its version.
    last_write_wins: bool = False
    #: An own claim also removes entries that it did not see.
    acknowledges_unseen: bool = False
    #: Loading sees what is not committed.
    reads_uncommitted: bool = False
    #: When the index forgets the version of a deleted document: "never", "early",
    #: once no write "is under way", or once no delivery that drew before "is left".
    forgets: str = "never"


class Delivery(NamedTuple):
    """Where a delivery is. Sets of entries are bits of a number."""

    position: int = 0
    claimed: int = 0
    held: int = 0
    version: int = 0
    loaded: tuple[Contents, ...] = ()


class Write(NamedTuple):
    """A write that was sent and has not arrived."""

    document: int
    version: int
    contents: Contents


class Stored(NamedTuple):
    """What the index has of a document, or remembers of a deleted one."""

    version: int
    contents: Contents


class State(NamedTuple):
    """Everything there is at one moment."""

    rows: tuple[int, ...]
    transactions: tuple[int, ...]
    outbox: int
    #: Entries that carry the name of a lease whose delivery is dead.
    abandoned: int
    #: Entries whose lease has ended though their delivery lives.
    lapsed: int
    index: tuple[Stored, ...]
    sent: tuple[Write, ...]
    deliveries: tuple[Delivery, ...]
    crashes: int
    early_ends: int


#: What can happen next: who does what, and the state after it.
Steps = Iterator[tuple[str, str, State]]


@dataclass(frozen=True)
class Scenario:
    """Who takes part, and what may go wrong.

    :param documents: for each document the rows that it is made of, its own first.
    :param workers: how many deliveries claim what is due, again and again.
    :param crashes: how often a delivery may die.
    :param early_ends: how many entries may lose their lease too early.
    :param absent: rows that are not there in the beginning.
    """

    documents: tuple[tuple[int, ...], ...]
    transactions: tuple[Transaction, ...]
    workers: int = 1
    crashes: int = 1
    early_ends: int = 0
    absent: tuple[int, ...] = ()
    rules: Rules = field(default_factory=Rules)

    # --- what follows from the parameters ----------------------------------------

    @cached_property
    def entries(self) -> tuple[tuple[int, int], ...]:
        """The transaction and the document of each entry there can be."""
        return tuple(
            (number, document)
            for number, transaction in enumerate(self.transactions)
            for document, rows in enumerate(self.documents)
            if set(rows) & set(transaction.rows)
        )

    @cached_property
    def entries_of(self) -> tuple[int, ...]:
        """The entries of each transaction."""
        return tuple(
            sum(1 << bit for bit, (of, _) in enumerate(self.entries) if of == number)
            for number in range(len(self.transactions))
        )

    @cached_property
    def documents_of(self) -> tuple[tuple[int, ...], ...]:
        """The documents of each set of entries."""
        return tuple(
            tuple(sorted({self.entries[bit][1] for bit in bits_of(entries)}))
            for entries in range(1 << len(self.entries))
        )

    @cached_property
    def owners(self) -> tuple[int | None, ...]:
        """For each delivery the transaction that it is the own claim of, if any."""
        numbers = range(len(self.transactions))
        inline = [number for number in numbers if self.transactions[number].inline]
        return (*[None] * self.workers, *inline)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What a trace calls each delivery."""
        return tuple(
            f"worker {number}" if owner is None else f"own claim of {owner + 1}"
            for number, owner in enumerate(self.owners, 1)
        )

    def written(self, rows: tuple[int, ...], number: int) -> tuple[int, ...]:
        """The rows after a transaction has written its own."""
        transaction = self.transactions[number]
        for row in transaction.rows:
            value = number + 1 if row in transaction.changes else 0
            rows = put(rows, row, value)
        return rows

    def contents_of(self, rows: tuple[int, ...], document: int) -> Contents:
        """What a document of these rows holds."""
        return document_of(tuple(rows[row] for row in self.documents[document]))


def bits_of(number: int) -> tuple[int, ...]:
    """The places of the bits of a number."""
    return tuple(bit for bit in range(number.bit_length()) if number >> bit & 1)


def parts_of(number: int) -> Iterable[int]:
    """Every set of the bits of a number but the empty one."""
    part = number
    while part:
        yield part
        part = (part - 1) & number


def put(values: tuple, place: int, value: object) -> tuple:
    """A copy with another value in one place."""
    return (*values[:place], value, *values[place + 1 :])


def document_of(contents: Contents) -> Contents:
    """There is no document without its own row."""
    return contents if contents[0] else ()


def held_entries(state: State) -> int:
    """Entries that some living delivery has claimed."""
    held = 0
    for delivery in state.deliveries:
        held |= delivery.held
    return held


def versions_of(state: State) -> set[int]:
    """All versions that can still be compared with another."""
    return {
        one.version
        for group in (state.index, state.sent, state.deliveries)
        for one in group
        if one.version
    }
