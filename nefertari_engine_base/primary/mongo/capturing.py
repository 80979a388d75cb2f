"""Collections that announce what is written to them.

Every write of MongoEngine comes down to a method of PyMongo's collection: those of
documents, those of query sets, which send no signal, those of cascades and of
``reverse_delete_rule``. So a model gets a collection of its own class here, and nothing
has to be known of who writes.

A write that names its documents by a query is narrowed to those that were found, and
announced, before it. The query stays, so that what has ceased to match meanwhile is
left alone; so is what has begun to match meanwhile, as if it had come later.
"""

# ruff: noqa: A002 - the names of PyMongo's arguments are a part of its interface

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError
from pymongo.results import DeleteResult, UpdateResult

from nefertari_engine_base.primary.mongo.announcing import forgone
from nefertari_engine_base.primary.mongo.effects import Effect
from nefertari_engine_base.primary.mongo.inserting import InsertingCollection, Options
from nefertari_engine_base.primary.mongo.keys import give_key, stored_key
from nefertari_engine_base.primary.mongo.parts import (
    KEYS_OF_A_STATEMENT,
    can_be_parted,
    delete_parts,
    statements,
    update_parts,
)
from nefertari_engine_base.primary.mongo.results import (
    delete_of,
    has_deleted,
    has_matched,
    is_there,
    reached,
    sum_of_deletes,
    sum_of_updates,
    update_of,
)
from nefertari_engine_base.primary.mongo.selecting import (
    NOTHING,
    Raw,
    Selection,
    as_read,
    narrowed,
)
from nefertari_engine_base.primary.mongo.sources import SOURCES, Source
from nefertari_engine_base.primary.mongo.updates import inserted_by
from nefertari_engine_base.values import Action

R = TypeVar("R")

Query = Mapping[str, Any]
#: Writes what matches a query; inserts it, if told so, where nothing does.
Upserting = Callable[..., R]


class AnnouncingCollection(InsertingCollection):
    """PyMongo's collection, whose writes are announced before and confirmed after.

    It takes the arguments of :class:`pymongo.collection.Collection`, and one more.

    :param acting: the instance whose method has asked for the collection, if any.
    """

    @classmethod
    def of(
        cls, collection: Collection[Any], acting: Any = None
    ) -> AnnouncingCollection:
        """A collection like another one, that announces its writes."""
        # Every save asks for some: PyMongo's constructor would take much of its time.
        like = cls.__new__(cls)
        like.__dict__.update(collection.__dict__)
        like.act_for(acting)
        return like

    def with_options(self, *args: Any, **options: Any) -> Any:
        """See :meth:`pymongo.collection.Collection.with_options`."""
        # MongoEngine asks so for each save, mostly for what there is already.
        if not args and options == {"write_concern": self.write_concern}:
            return self.of(self, self._acting)
        return self.of(super().with_options(*args, **options), self._acting)

    # --- writes of one document ------------------------------------------------

    def update_one(
        self, filter: Query, update: Any, upsert: bool = False, *args: Any,
        **options: Any,
    ) -> UpdateResult:  # fmt: skip
        """See :meth:`pymongo.collection.Collection.update_one`."""
        change = super().update_one

        def write(query: Query, upsert: bool = False) -> UpdateResult:
            return change(query, update, upsert, *args, **options)

        return self._upsert_one(filter, update, upsert, options, write, has_matched)

    def replace_one(
        self, filter: Query, replacement: Any, upsert: bool = False, *args: Any,
        **options: Any,
    ) -> UpdateResult:  # fmt: skip
        """See :meth:`pymongo.collection.Collection.replace_one`."""
        change = super().replace_one

        def write(query: Query, upsert: bool = False) -> UpdateResult:
            return change(query, replacement, upsert, *args, **options)

        return self._upsert_one(
            filter, replacement, upsert, options, write, has_matched
        )

    def find_one_and_update(
        self, filter: Query, update: Any, projection: Any = None, sort: Any = None,
        upsert: bool = False, *args: Any, **options: Any,
    ) -> Any:  # fmt: skip
        """See :meth:`pymongo.collection.Collection.find_one_and_update`."""
        change = super().find_one_and_update

        def write(query: Query, upsert: bool = False) -> Any:
            return change(query, update, projection, sort, upsert, *args, **options)

        sorted_ = {**options, "sort": sort}
        return self._upsert_one(filter, update, upsert, sorted_, write, is_there)

    def find_one_and_replace(
        self, filter: Query, replacement: Any, projection: Any = None,
        sort: Any = None, upsert: bool = False, *args: Any, **options: Any,
    ) -> Any:  # fmt: skip
        """See :meth:`pymongo.collection.Collection.find_one_and_replace`."""
        change = super().find_one_and_replace

        def write(query: Query, upsert: bool = False) -> Any:
            chosen = (projection, sort, upsert)
            return change(query, replacement, *chosen, *args, **options)

        sorted_ = {**options, "sort": sort}
        return self._upsert_one(filter, replacement, upsert, sorted_, write, is_there)

    def find_one_and_delete(
        self, filter: Query, projection: Any = None, sort: Any = None, *args: Any,
        **options: Any,
    ) -> Any:  # fmt: skip
        """See :meth:`pymongo.collection.Collection.find_one_and_delete`."""
        change = super().find_one_and_delete

        def write(query: Query) -> Any:
            return change(query, projection, sort, *args, **options)

        sources = SOURCES.of(self)
        if not sources:
            return write(filter)
        effect, sorted_ = Effect(Action.DELETED), {**options, "sort": sort}
        return self._write_one(sources, filter, effect, sorted_, write, is_there)

    def delete_one(self, filter: Query, *args: Any, **options: Any) -> DeleteResult:
        """See :meth:`pymongo.collection.Collection.delete_one`."""
        change = super().delete_one

        def write(query: Query) -> DeleteResult:
            return change(query, *args, **options)

        sources = SOURCES.of(self)
        if not sources:
            return write(filter)
        effect = Effect(Action.DELETED)
        return self._write_one(sources, filter, effect, options, write, has_deleted)

    def _upsert_one(
        self, query: Query, update: Any, upsert: bool, options: Options,
        write: Upserting[R], has_matched: Callable[[R], bool],
    ) -> R:  # fmt: skip
        sources = SOURCES.of(self)
        if not sources:
            return write(query, upsert)
        effect = Effect.of(update)

        def change() -> R:
            return self._write_one(sources, query, effect, options, write, has_matched)

        if not upsert:
            return change()
        return self._change_or_insert(
            sources, query, update, options, write, change, has_matched
        )

    def _change_or_insert(
        self, sources: Sequence[Source], query: Query, update: Any, options: Options,
        write: Upserting[R], change: Callable[[], R], has_matched: Callable[[R], bool],
    ) -> R:  # fmt: skip
        """Change what an upsert finds, or insert what it says."""
        while True:
            result = change()
            if has_matched(result):
                return result
            try:
                return self._insert_by(sources, query, update, options, write)
            except DuplicateKeyError:
                if Selection(self, query, options).first() is None:
                    raise
                # Another one was inserted at the same time: it is to be changed.

    def _write_one(
        self, sources: Sequence[Source], query: Query, effect: Effect,
        options: Options, write: Callable[[Query], R], has_matched: Callable[[R], bool],
    ) -> R:  # fmt: skip
        """Write the first document that a query finds, or nothing."""
        held = effect.replaces(sources)
        while True:
            raw = None if held else self._own(query)
            is_own = raw is not None
            if raw is None:
                selection = Selection(self, query, options, held)
                raw = selection.first(options.get("sort"))
            if raw is None:
                return write(NOTHING)
            with self._announced(sources, [raw], effect, options):
                result = write(as_read(query, [raw], held))
            if is_own or has_matched(result):
                return result
            # It was changed or deleted meanwhile: another one is the first now.

    def _insert_by(
        self, sources: Sequence[Source], query: Query, update: Any, options: Options,
        write: Upserting[R],
    ) -> R:  # fmt: skip
        """Insert what an upsert says, under a key that is known before."""
        raw = inserted_by(query, update)
        effect = Effect(Action.CREATED, fresh=give_key(raw))
        if self._acting is not None:
            raw.setdefault("_cls", self._acting._class_name)
        with self._announced(sources, [raw], effect, options):
            return write(narrowed(query, [raw["_id"]]), True)

    # --- writes of many --------------------------------------------------------

    def update_many(
        self, filter: Query, update: Any, upsert: bool = False, *args: Any,
        **options: Any,
    ) -> UpdateResult:  # fmt: skip
        """See :meth:`pymongo.collection.Collection.update_many`.

        Of more than some thousands of documents it is several updates, one after the
        other.
        """
        change = super().update_many

        def write(query: Query, upsert: bool = False) -> UpdateResult:
            return change(query, update, upsert, *args, **options)

        sources = SOURCES.of(self)
        if not sources:
            return write(filter, upsert)
        with forgone(sources, self._is_answered(options)) as is_forgone:
            if is_forgone:
                return write(filter, upsert)
        effect = Effect.of(update)

        def write_parts(queries: Sequence[Query]) -> UpdateResult:
            return update_of(update_parts(self, queries, update, options))

        def change_all() -> UpdateResult:
            parting = None if args else write_parts
            results = list(
                self._write_many(
                    sources, filter, effect, options, write, has_matched, parting
                )
            )
            return sum_of_updates(results) if results else write(NOTHING)

        if not upsert:
            return change_all()
        return self._change_or_insert(
            sources, filter, update, options, write, change_all, has_matched
        )

    def delete_many(self, filter: Query, *args: Any, **options: Any) -> DeleteResult:
        """See :meth:`pymongo.collection.Collection.delete_many`.

        Of more than some thousands of documents it is several deletes, one after the
        other.
        """
        change = super().delete_many

        def write(query: Query) -> DeleteResult:
            return change(query, *args, **options)

        sources = SOURCES.of(self)
        if not sources:
            return write(filter)
        with forgone(sources, self._is_answered(options)) as is_forgone:
            if is_forgone:
                return write(filter)

        def write_parts(queries: Sequence[Query]) -> DeleteResult:
            return delete_of(delete_parts(self, queries, options))

        effect, parting = Effect(Action.DELETED), None if args else write_parts
        results = list(
            self._write_many(
                sources, filter, effect, options, write, has_deleted, parting
            )
        )
        return sum_of_deletes(results) if results else write(NOTHING)

    def _write_many(
        self, sources: Sequence[Source], query: Query, effect: Effect,
        options: Options, write: Callable[[Query], R], has_matched: Callable[[R], bool],
        write_parts: Callable[[Sequence[Query]], R] | None = None,
    ) -> Iterator[R]:  # fmt: skip
        """Write all documents that a query finds.

        :param write_parts: writes by several queries at once, if that can be done.
        """
        held = effect.replaces(sources)
        if not (self.write_concern.acknowledged and can_be_parted(options)):
            write_parts = None
        selection = Selection(self, query, options, held)
        own = None if held else self._own(query)
        chunks = selection.chunks() if own is None else [[own]]
        for raws in chunks:
            if effect.action is Action.UPDATED and not held <= effect.values.keys():
                for raw in raws:
                    one = narrowed(query, [raw["_id"]])
                    yield self._write_one(
                        sources, one, effect, options, write, has_matched
                    )
                continue
            values = {n: value for n, value in effect.values.items() if n in held}
            for part, chosen in selection.rounds(raws, values):
                # Some are written where the server refuses one in the middle.
                with self._announced(sources, part, effect, options, in_parts=True):
                    if held or write_parts is None or len(part) <= KEYS_OF_A_STATEMENT:
                        result = write(chosen)
                    else:
                        keys = [raw["_id"] for raw in part]
                        queries = [narrowed(query, few) for few in statements(keys)]
                        result = write_parts(queries)
                yield result
                if reached(result) == len(part):
                    break  # nobody else was faster

    # --- questions -----------------------------------------------------------------

    def _own(self, query: Query) -> Raw | None:
        """The acting instance's own document, if a query names that by its key."""
        acting = self._acting
        if acting is None or acting._created or query.get("_id") is None:
            return None
        if query["_id"] != stored_key(acting):
            return None
        return {"_id": query["_id"], "_cls": acting._class_name}
