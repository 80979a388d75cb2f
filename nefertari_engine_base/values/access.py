"""Access control lists of rows, and the question whom a list lets in.

A list has entries in an order, as in Pyramid: the first entry that speaks of one of the
principals and of the permission decides, and where none does, nobody is let in. A
field of :attr:`Kind.ACL <nefertari_engine_base.encoding.Kind.ACL>` holds one::

    [{"action": "allow", "principal": "rick", "permission": "view"}, ...]

An index knows no order of embedded objects, so that an entry which allows has in its
document what would have decided before it, under the key ``unless``: one word for each
entry that denies, ``"permission principal"``. The answer of the index is so the same as
that of the list itself.

A filter on such a field compares it with an :class:`Access`, which the list has to let
in, or with an :class:`Entry`, which it has to hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ALLOW, DENY = "allow", "deny"

#: Names of the parts of an entry, in a document and in a database.
ACTION, PRINCIPAL, PERMISSION = "action", "principal", "permission"
_PARTS = (ACTION, PRINCIPAL, PERMISSION)

#: What an entry that allows has in a document besides.
UNLESS = "unless"

#: A part of an entry may have so many characters: an index takes no longer term.
LONGEST_PART = 4000


@dataclass(frozen=True, slots=True)
class Access:
    """Who wants to do something.

    :attr principals: names of who asks, as entries have them.
    :attr permissions: names of what is wanted, any of which an entry may have: the
        permission itself, and the name that stands for all of them.
    """

    principals: frozenset[str]
    permissions: frozenset[str]

    def is_allowed_by(self, entries: Iterable[Mapping[str, Any]] | None) -> bool:
        """Whether a list lets it happen: its first entry that matches decides."""
        for entry in entries or ():
            if (
                entry[PRINCIPAL] in self.principals
                and entry[PERMISSION] in self.permissions
            ):
                return bool(entry[ACTION] == ALLOW)
        return False

    def words(self) -> list[str]:
        """What must not stand under ``unless``."""
        return sorted(
            _word(permission, principal)
            for permission in self.permissions
            for principal in self.principals
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a list; the attributes are its parts."""

    action: str
    principal: str
    permission: str

    def as_dict(self) -> dict[str, str]:
        """The entry as lists hold it."""
        return {name: getattr(self, name) for name in _PARTS}


def checked(entries: Any) -> list[dict[str, str]]:
    """A list of plain entries, each with its three parts and nothing else.

    :raises ValueError: for what is no list of entries.
    """
    if not isinstance(entries, list | tuple):
        raise ValueError(f"{entries!r} is not a list of entries")
    return [_checked_entry(entry) for entry in entries]


def _checked_entry(entry: Any) -> dict[str, str]:
    if not isinstance(entry, Mapping) or entry.keys() != set(_PARTS):
        raise ValueError(f"{entry!r} is not an entry with {', '.join(_PARTS)}")
    for name in _PARTS:
        part = entry[name]
        if not isinstance(part, str) or not _is_plain(part):
            raise ValueError(
                f"{part!r} is no {name} of an entry: expected a string of 1 to "
                f"{LONGEST_PART} characters"
            )
    if entry[ACTION] not in (ALLOW, DENY):
        raise ValueError(f"{entry[ACTION]!r} is neither {ALLOW!r} nor {DENY!r}")
    return {name: entry[name] for name in _PARTS}


def _is_plain(part: str) -> bool:
    # PostgreSQL cannot read a NUL or half of a surrogate pair out of JSON.
    odd = "\0" in part or any("\ud800" <= letter <= "\udfff" for letter in part)
    return 0 < len(part) <= LONGEST_PART and not odd


def encode(entries: Any) -> list[dict[str, Any]]:
    """The form of a list in a document. :raises ValueError: as :func:`checked`."""
    form: list[dict[str, Any]] = []
    denied: dict[str, None] = {}
    for entry in checked(entries):
        shown: dict[str, Any] = dict(entry)
        if entry[ACTION] == DENY:
            denied[_word(entry[PERMISSION], entry[PRINCIPAL])] = None
        elif denied:
            shown[UNLESS] = list(denied)
        form.append(shown)
    return form


def decode(form: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """The list, from its form in a document."""
    return [{name: entry[name] for name in _PARTS} for entry in form]


def _word(permission: str, principal: str) -> str:
    # With its length, it is clear where the permission ends.
    return f"{len(permission)} {permission} {principal}"
