"""What a statement is going to change, told from the statement alone.

A plan is made once for each statement that SQLAlchemy has compiled, and kept as long as
that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy.sql.compiler import SQLCompiler

from nefertari_engine_base.primary.sqla.capture import (
    announcing,
    dml,
    upserts,
    volatile,
)
from nefertari_engine_base.primary.sqla.capture.cascading import (
    Endless,
    is_touched,
    of_deleted,
    of_updated,
)
from nefertari_engine_base.primary.sqla.capture.following import (
    Cause,
    FollowedTable,
    Following,
)
from nefertari_engine_base.primary.sqla.capture.plans import (
    ChangePlan,
    InsertPlan,
    NamedCapture,
    Plan,
)
from nefertari_engine_base.primary.sqla.capture.reading import RowSource
from nefertari_engine_base.primary.sqla.capture.sets import Reading
from nefertari_engine_base.primary.sqla.capture.touching import Names
from nefertari_engine_base.primary.sqla.triggers.captures import Capture
from nefertari_engine_base.values import Action

_PLANS: WeakKeyDictionary[Any, dict[tuple[Following, bool], tuple[Plan, ...]]] = (
    WeakKeyDictionary()
)


def plans_of(compiled: Any, following: Following, enforced: bool) -> Sequence[Plan]:
    """The plans of a compiled statement; none if nothing followed is changed.

    :param enforced: the database obeys its foreign keys.
    """
    known = _PLANS.get(compiled)
    if known is None:
        known = _PLANS[compiled] = {}
    key = (following, enforced)
    if key not in known:
        try:
            known[key] = _make(compiled, following, enforced)
        except Exception as error:  # noqa: BLE001 - told of, and all is compared
            known[key] = (_not_understood(following, announcing.misunderstood(error)),)
    return known[key]


def _not_understood(following: Following, why: str) -> Plan:
    """To fail would be in the way of the application; to skip it would lose rows."""
    documents = frozenset(
        name for table in following.tables.values() for name in table.documents
    )
    return Plan(None, Action.UPDATED, documents, documents, why)


def forget(following: Following) -> None:
    """Keep no plans of an application that is closed."""
    for known in list(_PLANS.values()):
        for key in [key for key in known if key[0] is following]:
            del known[key]


def changes_rows(compiled: Any) -> bool:
    """Whether a compiled statement changes rows; what defines tables does not."""
    return isinstance(compiled, SQLCompiler) and bool(
        compiled.isinsert or compiled.isupdate or compiled.isdelete or compiled.ctes
    )


def _make(compiled: Any, following: Following, enforced: bool) -> tuple[Plan, ...]:
    own = _own(compiled, following, enforced)
    nested = [
        (table, one)
        for one in dml.nested_changes(compiled)
        if (table := following.table_of(one.table)) is not None and table.documents
    ]
    if not nested:
        return () if own is None else (own,)
    if own is None and all(_only_adds(one) for _, one in nested):
        # Its new rows are found like those that nothing tells of.
        adding = [_new_rows(table, one, enforced) for table, one in nested]
        return tuple(plan for plan in adding if plan is not None)
    # Executing them twice, to learn what they change, would change it twice.
    documents = frozenset[str]().union(*(table.documents for table, _ in nested))
    if own is None:
        return (Plan(None, Action.UPDATED, documents, documents, _NESTED),)
    documents |= own.documents
    return (Plan(own.table, own.action, documents, documents, _NESTED),)


_NESTED = "it changes rows in a common table expression"


def _own(compiled: Any, following: Following, enforced: bool) -> Plan | None:
    """The plan of what the statement changes itself."""
    if not (compiled.isinsert or compiled.isupdate or compiled.isdelete):
        return None
    statement = dml.statement_of(compiled)
    table = following.table_of(statement.table)
    if table is None or not table.documents:
        return None
    if compiled.isinsert:
        return _insert(compiled, statement, table, enforced)
    return _change(compiled, statement, table, enforced)


def _only_adds(nested: Any) -> bool:
    clause = dml.conflict_clause(nested) if nested.is_insert else None
    return nested.is_insert and not upserts.updates(clause)


def _uncaptured(table: FollowedTable, action: Action, why: str) -> Plan:
    return Plan(table, action, table.documents, table.documents, why)


# --- INSERT --------------------------------------------------------------------------


def _insert(
    compiled: Any, statement: Any, table: FollowedTable, enforced: bool
) -> Plan | None:
    if "REPLACE" in dml.prefixes(statement):
        why = "INSERT OR REPLACE deletes rows without telling which"
        return _uncaptured(table, Action.CREATED, why)
    if not table.captures:
        return None
    named = dml.names_inserted(compiled, statement)
    clause = dml.conflict_clause(statement)
    updates = upserts.updates(clause)
    plan = InsertPlan(
        table,
        Action.CREATED,
        frozenset(capture.root for capture in table.captures),
        rows=dml.row_names(compiled, statement),
        never=frozenset(_null(table, named)),
        named=frozenset(named),
        names=_named_captures(table, all_of_them=updates or not enforced),
        returns=dml.returns_rows(statement),
        statement=statement,
    )
    told = {*plan.named, *plan.never, *table.key}
    plan.tells_enough = all(
        told.issuperset(names.columns)
        or (by_row is not None and told.issuperset(by_row.columns))
        for names, by_row in plan.names
    )
    if updates and not upserts.complete(plan, table, clause):
        return _uncaptured(table, Action.UPDATED, upserts.UNKNOWN_KEYS)
    return plan


def _new_rows(
    table: FollowedTable, statement: Any, enforced: bool
) -> InsertPlan | None:
    """The plan of an INSERT of which neither parameters nor a result are seen."""
    if not table.captures:
        return None
    return InsertPlan(
        table,
        Action.CREATED,
        frozenset(capture.root for capture in table.captures),
        named=frozenset(dml.names_given(statement)),
        names=_named_captures(table, all_of_them=not enforced),
        statement=statement,
    )


def _named_captures(table: FollowedTable, *, all_of_them: bool) -> list[NamedCapture]:
    return [
        NamedCapture(
            Names(capture),
            None if capture.by_row is None else Names(capture.by_row),
        )
        for capture in table.captures
        if capture.referrers is None and (all_of_them or not capture.only_updates)
    ]


def _null(table: FollowedTable, named: set[str]) -> list[str]:
    key = table.key
    return [
        column.name
        for column in table.table.c
        if column.name not in named
        and column.name not in key
        and column.server_default is None
        and column.computed is None
        and column.identity is None
    ]


# --- UPDATE and DELETE ---------------------------------------------------------------


def _change(
    compiled: Any, statement: Any, table: FollowedTable, enforced: bool
) -> Plan | None:
    if compiled.isdelete:
        plan = ChangePlan(table, Action.DELETED, table.documents)
        changed: set[str] | None = set()
        values: dict[str, Any] = {}
        readings = list(of_deleted(table.captures, enforced))
    else:
        plan = ChangePlan(table, Action.UPDATED, table.documents)
        found = dml.values_set(compiled, statement)
        values, changed = found or {}, None if found is None else set(found)
        if not _concerns(table, changed):
            return None
        try:
            readings = list(of_updated(table.captures, changed, _known(values)))
        except LookupError:
            why = "the keys that it gives to rows are not known before it"
            return _uncaptured(table, Action.UPDATED, why)
        if changed is not None:
            readings += _of_referred(table, changed, enforced)
        plan.changed = None if changed is None else frozenset(changed)
        plan.moves_key = changed is None or bool(changed & _referred(table))
    plan.pinned = dml.pinned(compiled, statement)
    plan.news = {name: v for name, v in values.items() if isinstance(v, str)}
    plan.by_key = bool(table.key) and set(table.key) <= plan.pinned.keys()
    reads = _divide(plan, readings, changed)
    try:
        return _read(plan, statement, table, values, changed, reads)
    except Endless as error:
        why = f"the rules of foreign keys lead back to {error}"
        return _uncaptured(table, plan.action, why)


def _concerns(table: FollowedTable, changed: set[str] | None) -> bool:
    if any(is_touched(capture, changed) for capture in table.captures):
        return True
    return changed is None or bool(changed & _referred(table))


def _referred(table: FollowedTable) -> set[str]:
    rules = table.rules.get(Cause.NEW_KEY, ())
    return {name for rule in rules for name in rule.referred}


def _of_referred(
    table: FollowedTable, changed: set[str], enforced: bool
) -> list[Reading]:
    """Rows that refer to a key which nothing keeps from vanishing."""
    return [
        Reading(capture)
        for capture in table.captures
        if capture.referrers is not None
        and capture.referrers.linked
        and not (enforced and capture.referrers.guarded)
        and changed & {column.name for column in capture.referrers.referred}
    ]


def _known(values: Mapping[str, Any]) -> set[str]:
    return {name for name, value in values.items() if value is not None}


def _divide(
    plan: ChangePlan, readings: list[Reading],
    changed: set[str] | None,
) -> list[Reading]:  # fmt: skip
    """Tell what the parameters name from what has to be read, which is returned."""
    named: list[tuple[Names, bool]] = []
    reads: list[Reading] = []
    for reading in readings:
        names = Names(reading.capture)
        if reading.capture.referrers is not None:
            reads.append(reading)
        elif reading.is_new:
            moved = {c for c in names.columns if c in (changed or ())}
            known = {
                *plan.pinned.keys() - (changed or set()),
                *plan.news.keys() & moved,
            }
            if names.can_name(known):
                named.append((names, True))
            elif not _by_row(plan, reading.capture, changed, named):
                reads.append(reading)
        elif names.can_name(plan.pinned):
            named.append((names, False))
        elif (
            changed is None
            or plan.action is Action.DELETED
            or changed & set(names.columns)
            or not _by_row(plan, reading.capture, changed, named)
        ):
            reads.append(reading)
    plan.named = named
    return reads


def _by_row(
    plan: ChangePlan, capture: Capture, changed: set[str] | None,
    named: list[tuple[Names, bool]],
) -> bool:  # fmt: skip
    """Whether the row's own key, which stays, leads to the same documents."""
    if capture.by_row is None:
        return False
    names = Names(capture.by_row)
    if not names.can_name(plan.pinned.keys() - (changed or set())):
        return False
    named.append((names, False))
    return True


def _read(
    plan: ChangePlan, statement: Any, table: FollowedTable,
    values: Mapping[str, Any], changed: set[str] | None, reads: Sequence[Reading],
) -> Plan | None:  # fmt: skip
    """Say how rows are read, and which others follow them."""
    criteria = tuple(dml.criteria(statement))
    plan.elements = [*criteria, *(v for v in values.values() if not isinstance(v, str))]
    plan.elements = [e for e in plan.elements if hasattr(e, "_traverse_internals")]
    plan.source = RowSource(
        table, plan.action, statement.table, criteria, values, changed, reads,
        shared=plan.action is Action.UPDATED and not plan.moves_key,
    )  # fmt: skip
    if not (plan.named or plan.source.reads or plan.source.levels):
        return None
    names = volatile.suspects(plan.elements)
    if names is None and not plan.by_key:
        why = "which rows it takes of many is not certain"
        return _uncaptured(table, plan.action, why)
    plan.suspects = names or frozenset()
    return plan
