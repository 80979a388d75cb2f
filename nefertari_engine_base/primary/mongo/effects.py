"""What a write does to documents, and the changes to report of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nefertari_engine_base.primary.mongo.announcing import Found
from nefertari_engine_base.primary.mongo.keys import stored_key
from nefertari_engine_base.primary.mongo.sources import Source, matching
from nefertari_engine_base.primary.mongo.updates import (
    changed_fields,
    known_values,
    new_class,
)
from nefertari_engine_base.values import Action, Change, DocumentRef


@dataclass(frozen=True, slots=True)
class Effect:
    """What a write does to each document that it is about.

    :attr fields: names, as MongoDB has them, of the fields that it may change;
        ``None``: any of them.
    :attr class_name: the class that it gives them; ``None``: they keep theirs.
    :attr fresh: whether their keys were made for them.
    :attr whole: whether all of what it writes is known, and not only the keys.
    :attr values: what it makes of fields, by the same names, where that is known.
    """

    action: Action
    fields: frozenset[str] | None = None
    class_name: str | None = None
    fresh: bool = False
    whole: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, update: Any) -> Effect:
        """The effect of an update or a replacement on documents that are there."""
        return cls(
            Action.UPDATED,
            changed_fields(update),
            new_class(update),
            values=known_values(update),
        )

    def replaces(self, sources: Iterable[Source]) -> frozenset[str]:
        """References, as MongoDB names them, whose old values have to be known, since
        they will be gone."""
        if self.action is Action.CREATED:
            return frozenset()
        held = frozenset(name for source in sources for name in source.held)
        moves = self.class_name is not None
        if self.action is Action.DELETED or self.fields is None or moves:
            return held
        return held & self.fields


def changes_of(
    sources: Sequence[Source],
    raws: Iterable[Mapping[str, Any]],
    effect: Effect,
    acting: Any = None,
) -> list[Found]:
    """The changes of documents, of which ``_id`` and ``_cls`` are known.

    :param acting: the instance whose own document is among them, if there is one.
    """
    found: list[Found] = []
    acting_key = None if acting is None else stored_key(acting)
    for raw in raws:
        class_name = raw.get("_cls")
        is_acting = acting_key is not None and raw["_id"] == acting_key
        instance = acting if is_acting else None
        for source, action in _concerned(sources, class_name, effect):
            if change := _change(source, raw, action, effect):
                found.append((source, change, instance))
    return found


def _concerned(
    sources: Sequence[Source], class_name: str | None, effect: Effect
) -> list[tuple[Source, Action]]:
    """The sources that a document belongs to, or will, and what happens to it there."""
    now = matching(sources, class_name)
    if effect.class_name in (None, class_name):
        return [(source, effect.action) for source in now]
    then = matching(sources, effect.class_name)
    return [
        *((source, Action.DELETED) for source in now if source not in then),
        *((source, Action.CREATED) for source in then if source not in now),
        *((source, effect.action) for source in then if source in now),
    ]


def _change(
    source: Source, raw: Mapping[str, Any], action: Action, effect: Effect
) -> Change | None:
    fields = None
    if action is Action.UPDATED and effect.fields is not None:
        fields = source.field_names(effect.fields)
        if not fields:
            return None  # it only says what an inserted document would have
    ref = DocumentRef(source.name, source.ids.of(raw["_id"]))
    change = Change(ref, action, fields, fresh=effect.fresh)
    if not source.references:
        return change
    if action is Action.DELETED or (action is Action.CREATED and effect.whole):
        return change._replace(references=source.keys_in(raw))
    if action is Action.UPDATED and effect.replaces([source]):
        return change._replace(previous=source.keys_in(raw))
    return change
