"""A trigger as it should be, and one that is there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger that a table should have.

    :attr table: as SQL names it.
    :attr source: what the database shows of a trigger that is the same.
    :attr create: statements that make it, in place of another of its name.
    :attr trial: changes nothing, and fails if the trigger would fail.
    """

    table: str
    name: str
    source: str
    create: tuple[str, ...]
    trial: str


@dataclass(frozen=True, slots=True)
class Installed:
    """A trigger of ours that the database has.

    :attr enabled: it is fired by ordinary statements.
    :attr drop: statements that remove it.
    """

    table: str
    name: str
    source: str
    enabled: bool
    drop: tuple[str, ...]
