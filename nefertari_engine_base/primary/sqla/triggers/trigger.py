"""A trigger as it should be, and one that is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.primary.sqla.triggers.captures import Capture


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that a table should have.

    :attr table: as SQL names it.
    :attr source: what the database shows of a trigger that is the same.
    :attr alternative: what it shows of one that is as good, like ``source``.
    :attr define: statements that make or replace what the trigger calls.
    :attr attach: statements that put it on its table, in place of another of its name.
    :attr drop: statements that remove it, if it is there.
    :attr function: what it calls, if the database has that apart.
    :attr trial: changes nothing, and fails if the trigger would fail.
    """

    table: str
    name: str
    source: str
    alternative: str
    define: tuple[str, ...]
    attach: tuple[str, ...]
    drop: tuple[str, ...]
    trial: str
    function: str = ""


@dataclass(frozen=True, slots=True)
class Installed:
    """A trigger of ours that the database has.

    :attr source: empty if it is not fired as it should be.
    :attr enabled: it is fired by ordinary statements.
    :attr drop: statements that remove it.
    :attr function: what it calls, if the database has that apart.
    """

    table: str
    name: str
    source: str
    enabled: bool
    drop: tuple[str, ...]
    function: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A table that the database has.

    :attr name: as SQL names it.
    :attr schema: the name of its schema, as SQL names it; or empty.
    :attr kind: of relation; ``table``, or what else it is.
    """

    name: str
    schema: str = ""
    kind: str = "table"


@dataclass(frozen=True, slots=True)
class Survey:
    """What one query tells of a database.

    :attr tables: where each of the tables is that were asked for, if it is there.
    :attr parts: partitions of a table, and tables that inherit from it.
    :attr outbox: where the outbox is, if it is there.
    :attr installed: our triggers, by table and name.
    :attr functions: ours, with statements that remove them.
    :attr path: where functions look for operators.
    :attr outdated: the outbox is one of an older version.
    """

    tables: Mapping[sa.Table, Place]
    outbox: Place | None
    parts: Mapping[sa.Table, tuple[Place, ...]] = field(default_factory=dict)
    installed: Mapping[tuple[str, str], Installed] = field(default_factory=dict)
    functions: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    outdated: bool = False


def check_kind(place: Place, captures: Sequence[Capture]) -> None:
    """See that triggers tell of what changes there. :raises ConfigurationError:"""
    if place.kind != "table":
        roots = ", ".join(sorted({capture.root for capture in captures}))
        raise ConfigurationError(
            f"{place.name} is a {place.kind}, which documents of {roots} depend on: no "
            f"trigger can tell which of its rows have changed. Give documents to the "
            f"models of the tables behind it, or leave them to nefertari-es index."
        )
