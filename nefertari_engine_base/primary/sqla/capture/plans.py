"""What a statement is going to change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nefertari_engine_base.primary.sqla.capture.following import (
    FollowedTable,
)
from nefertari_engine_base.primary.sqla.capture.reading import RowSource
from nefertari_engine_base.primary.sqla.capture.touching import Names
from nefertari_engine_base.values import Action

#: Names of columns that no two rows have the same values of.
Key = tuple[str, ...]


class NamedCapture(NamedTuple):
    """What a new row touches.

    :attr by_row: the same by the row's own key, which leads to the others.
    """

    names: Names
    by_row: Names | None = None

    @property
    def is_exact(self) -> bool:
        """Whether the values of a statement are those that the database stores."""
        return self.names.is_exact and (self.by_row is None or self.by_row.is_exact)


@dataclass(eq=False, slots=True)
class Plan:
    """What a statement changes.

    :attr table: the followed table that it is about; ``None`` for a statement that
        only has others within.
    :attr documents: names of the models whose documents it may touch.
    :attr uncaptured: those of which it cannot be told what is touched.
    :attr why: why not.
    """

    table: FollowedTable | None
    action: Action
    documents: frozenset[str]
    uncaptured: frozenset[str] = frozenset()
    why: str = ""


@dataclass(eq=False, slots=True)
class InsertPlan(Plan):
    """An INSERT.

    :attr rows: names of parameters by column, for each row of VALUES; ``None`` if its
        rows come from a SELECT.
    :attr never: columns that it leaves without a value, so that they are NULL.
    :attr named: columns that it gives a value.
    :attr tells_enough: parameters and keys name what is touched: not so where the
        mapped key is none of the table's.
    :attr conflicts: the keys by whose values it may change a row in place of inserting.
    :attr is_of_any_key: it names none of them: the database may have others.
    :attr moves: such a change may give rows other references, or another such key.
    """

    rows: list[dict[str, str]] | None = None
    never: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    names: Sequence[NamedCapture] = ()
    tells_enough: bool = True
    conflicts: Sequence[Key] = ()
    is_of_any_key: bool = False
    is_upsert: bool = False
    moves: bool = False
    returns: bool = False
    statement: Any = None

    def is_without_key(self, row: Mapping[str, Any]) -> bool:
        """Whether a row has NULL in each of the keys: it changes no other row."""
        return all(any(row.get(n) is None for n in key) for key in self.conflicts)


@dataclass(eq=False, slots=True)
class ChangePlan(Plan):
    """An UPDATE or a DELETE.

    :attr pinned: names of parameters, by the columns that they are equal to.
    :attr news: names of parameters that columns are set to.
    :attr named: what is touched, as far as the parameters tell; each with whether the
        new values are meant.
    :attr source: reads what is needed for the rest.
    :attr by_key: rows are chosen by nothing but their whole key.
    :attr suspects: functions that may choose other rows each time.
    :attr changed: columns that it sets; ``None``: any.
    """

    pinned: Mapping[str, str] = field(default_factory=dict)
    news: Mapping[str, str] = field(default_factory=dict)
    named: Sequence[tuple[Names, bool]] = ()
    source: RowSource | None = None
    elements: Sequence[Any] = ()
    by_key: bool = False
    suspects: frozenset[str] = frozenset()
    moves_key: bool = False
    changed: frozenset[str] | None = frozenset()
