"""Tests that may fail with us, or in which the index may differ; each with the reason.

Names are as from ``test/orm``, without the name of the database that SQLAlchemy appends
to classes. One that ends at a class or before ``[`` stands for all that is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: What SQLAlchemy appends to the classes that it runs on each database.
_DATABASE = re.compile(r"_(?:sqlite|postgresql)\+\w+?(?:_\d+)+(?=::)")


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a test, and no fault of ours.

    :attr reason: why it cannot be otherwise.
    :attr database: if it is so on one of them only.
    :attr capture: if it is so with one only.
    """

    name: str
    reason: str
    database: str | None = None
    capture: str | None = None

    def covers(self, name: str) -> bool:
        """Whether a test is the one that is meant, or one of those."""
        if not name.startswith(self.name):
            return False
        return name == self.name or name[len(self.name)] in ":["


_LISTENS = (
    "listens to all statements of its connection, and finds those that read the keys "
    "of the rows that are written"
)
_REPLACES = (
    "listens to all statements of its connection, puts a text in the place of an "
    "INSERT, and fails at any other: at that of the debt which the text leads to"
)
_NULL_IN_KEY = "a part of its key is NULL, which only SQLite takes: it has no id"
_NAMES = (
    "compares all names that a class has, and finds Model.secondary, by which its "
    "documents are asked for"
)
_HELD = (
    "looks whether nobody holds a mapped class any more, while an application runs "
    "that has documents of it"
)
_NO_WAY_BACK = (
    "the type of its key takes dictionaries and no text, so that no id leads back to "
    "the row: its documents are refused, each by itself"
)

EXPECTED: Sequence[Expected] = (
    *(
        Expected(
            f"dml/{file}::UpdateDeleteTest::test_update_returning_eagerload_propagate",
            _LISTENS,
            capture="session",
        )
        for file in ("test_orm_upd_del_basic.py", "test_update_delete_where.py")
    ),
    Expected(
        "test_unitofwork.py::NoRowInsertedTest::"
        "test_insert_single_no_pk_correct_exception",
        _REPLACES,
        database="postgresql",
        capture="session",
    ),
    Expected(
        "declarative/test_basic.py::NamedAttrOrderingTest::"
        "test_ordering_of_attrs_cols_named_or_unnamed",
        _NAMES,
    ),
    Expected("test_mapper.py::MapperTest::test_prop_filters", _NAMES),
    Expected(
        "declarative/test_mixin.py::DeclarativeMixinTest::"
        "test_declare_hooks_dont_reference_class",
        _HELD,
    ),
    Expected(
        "test_naturalpks.py::UnsortablePKTest::test_updates_sorted",
        _NO_WAY_BACK,
        capture="session",
    ),
    Expected("test_composites.py::PrimaryKeyTest::test_null_pk", _NULL_IN_KEY),
    Expected(
        "test_composites.py::PrimaryKeyTestDataclasses::test_null_pk", _NULL_IN_KEY
    ),
)


def without_database(test_id: str) -> str:
    """The id of a test as it is on every database."""
    return _DATABASE.sub("", test_id)


def short(test_id: str) -> str:
    """The name of a test as this list has it."""
    return without_database(test_id).removeprefix("test/orm/")


def expectation(
    test_id: str, database: str, capture: str, among: Iterable[Expected] = EXPECTED
) -> Expected | None:
    """What is known of a test; ``None``: it has to be right."""
    name = short(test_id)
    for one in among:
        is_here = one.database in (None, database) and one.capture in (None, capture)
        if is_here and one.covers(name):
            return one
    return None
