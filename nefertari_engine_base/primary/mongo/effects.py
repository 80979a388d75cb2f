"""What a write does to documents, and the changes to report of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
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


class Changes:
    """What an effect changes, document by document.

    :param acting: the instance whose own document may be among them.
    """

    def __init__(
        self, sources: Sequence[Source], effect: Effect, acting: Any = None
    ) -> None:
        self._sources = sources
        self._effect = effect
        self._acting = acting
        self._acting_key = None if acting is None else stored_key(acting)
        # The same of every document of a class.
        self._concerned: dict[str | None, list[_Concern]] = {}

    def of(self, raws: Iterable[Mapping[str, Any]]) -> list[Found]:
        """The changes of documents, of which ``_id`` and ``_cls`` are known."""
        found: list[Found] = []
        known, acting_key = self._concerned, self._acting_key
        for raw in raws:
            key, class_name = raw["_id"], raw.get("_cls")
            if (concerned := known.get(class_name)) is None:
                concerned = list(_concerns(self._sources, class_name, self._effect))
                known[class_name] = concerned
            is_acting = acting_key is not None and key == acting_key
            instance = self._acting if is_acting else None
            for concern in concerned:
                found.append((concern.source, concern.change(raw, key), instance))
        return found


@dataclass(frozen=True, slots=True)
class _Concern:
    """What happens to documents of a class for one source.

    :attr fields: names of the fields that may change; ``None`` for any of them.
    :attr holds: whether its changes say what the source's references hold.
    :attr held: whether they say what these have held.
    """

    source: Source
    action: Action
    fields: frozenset[str] | None
    fresh: bool
    holds: bool
    held: bool

    def change(self, raw: Mapping[str, Any], key: Any) -> Change:
        """The change of one document."""
        source = self.source
        ref = DocumentRef(source.name, source.ids.of(key))
        change = Change(ref, self.action, self.fields, fresh=self.fresh)
        if self.holds:
            return change._replace(references=source.keys_in(raw))
        if self.held:
            return change._replace(previous=source.keys_in(raw))
        return change


def _concerns(
    sources: Sequence[Source], class_name: str | None, effect: Effect
) -> Iterator[_Concern]:
    for source, action in _concerned(sources, class_name, effect):
        fields = None
        if action is Action.UPDATED and effect.fields is not None:
            fields = source.field_names(effect.fields)
            if not fields:
                continue  # it only says what an inserted document would have
        refers = bool(source.references)
        is_known = action is Action.DELETED or (
            action is Action.CREATED and effect.whole
        )
        is_replaced = action is Action.UPDATED and bool(effect.replaces([source]))
        yield _Concern(
            source, action, fields, effect.fresh,
            holds=refers and is_known, held=refers and is_replaced,
        )  # fmt: skip


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
