"""Inserts, which are announced under keys that documents have before they are there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from typing import Any
from weakref import ref

from pymongo.results import InsertManyResult, InsertOneResult

from nefertari_engine_base.primary.mongo.announcing import (
    Found,
    announced,
    forgone,
)
from nefertari_engine_base.primary.mongo.effects import Changes, Effect
from nefertari_engine_base.primary.mongo.keys import give_key, known_to
from nefertari_engine_base.primary.mongo.owing import OwingCollection, unfollowed
from nefertari_engine_base.primary.mongo.results import inserted_before
from nefertari_engine_base.primary.mongo.selecting import Raw
from nefertari_engine_base.primary.mongo.sources import SOURCES, Source
from nefertari_engine_base.values import Action, Change

Options = Mapping[str, Any]


class InsertingCollection(OwingCollection):
    """PyMongo's collection, whose inserts are announced before and confirmed after.

    It takes the arguments of :class:`pymongo.collection.Collection`, and one more.

    :param acting: the instance whose method has asked for the collection, if any.
    """

    def __init__(self, *args: Any, acting: Any = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.act_for(acting)

    def act_for(self, acting: Any) -> None:
        """Take an instance for the one whose method writes; ``None`` for none."""
        # Weakly, since instances keep query sets, and these keep collections.
        self._acting_ref = None if acting is None else ref(acting)

    @property
    def _acting(self) -> Any:
        return None if self._acting_ref is None else self._acting_ref()

    def insert_one(self, document: Any, *args: Any, **options: Any) -> InsertOneResult:
        """See :meth:`pymongo.collection.Collection.insert_one`."""
        sources = SOURCES.of(self)
        if not sources or not _can_have_key(document):
            chosen = sources if isinstance(document, Mapping) else []
            with unfollowed(chosen, f"A raw document without a key in {self.name!r}"):
                return super().insert_one(document, *args, **options)
        effect = Effect(Action.CREATED, fresh=give_key(document), whole=True)
        with (
            known_to(self._acting, document["_id"]),
            self._announced(sources, [document], effect, options),
        ):
            return super().insert_one(document, *args, **options)

    def insert_many(
        self, documents: Iterable[Any], ordered: bool = True, *args: Any,
        **options: Any,
    ) -> InsertManyResult:  # fmt: skip
        """See :meth:`pymongo.collection.Collection.insert_many`."""
        sources = SOURCES.of(self)
        if not sources or not _are_several(documents):
            return super().insert_many(documents, ordered, *args, **options)
        raws = list(documents)
        if not all(map(_can_have_key, raws)):
            chosen = sources if all(isinstance(raw, Mapping) for raw in raws) else []
            with unfollowed(chosen, f"Raw documents without keys in {self.name!r}"):
                return super().insert_many(raws, ordered, *args, **options)
        is_answered = self._is_answered(options)
        with forgone(sources, is_answered) as is_forgone:
            if is_forgone:
                return super().insert_many(raws, ordered, *args, **options)
        found = _created(sources, raws)

        def written(error: Exception) -> list[Change] | None:
            inserted = inserted_before(error, len(raws), ordered)
            if inserted is None:
                return None
            return [change for index in inserted for _, change, _ in found[index]]

        with announced([one for each in found for one in each], is_answered, written):
            return super().insert_many(raws, ordered, *args, **options)

    def _announced(
        self, sources: Sequence[Source], raws: Iterable[Raw], effect: Effect,
        options: Options, *, in_parts: bool = False,
    ) -> AbstractContextManager[None]:  # fmt: skip
        """Announce what a write does to documents.

        :param in_parts: whether some of them may be written where the server answers
            that it has refused the write.
        """
        found = Changes(sources, effect, self._acting).of(raws)

        def written(error: Exception) -> list[Change]:
            return [change for _, change, _ in found] if in_parts else []

        return announced(found, self._is_answered(options), written)

    def _is_answered(self, options: Options) -> bool:
        """Whether the answer to a write says that it is done, for good."""
        session = options.get("session")
        return self.write_concern.acknowledged and not (
            session is not None and session.in_transaction
        )


def _are_several(documents: Any) -> bool:
    """Whether PyMongo takes this for documents to insert."""
    return isinstance(documents, Iterable) and not isinstance(documents, Mapping)


def _can_have_key(document: Any) -> bool:
    """Whether a document has a key, or can be given one. What is none is refused by
    PyMongo, and a raw one without a key is given one by the server."""
    if isinstance(document, MutableMapping):
        return True
    return isinstance(document, Mapping) and "_id" in document


def _created(sources: Sequence[Source], raws: Iterable[Any]) -> list[list[Found]]:
    """The changes of each of many documents to insert."""
    changes = {
        fresh: Changes(sources, Effect(Action.CREATED, fresh=fresh, whole=True))
        for fresh in (False, True)
    }
    return [changes[give_key(raw)].of((raw,)) for raw in raws]
