"""Keys, names and collections of documents as MongoDB has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar
from weakref import WeakKeyDictionary

from bson import ObjectId
from mongoengine.connection import (
    DEFAULT_CONNECTION_NAME,
    ConnectionFailure,
    get_db,
)
from pymongo import ReadPreference
from pymongo.collection import Collection
from pymongo.read_concern import ReadConcern

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.primary.mongo.encoders import MISREAD, reader_of
from nefertari_engine_base.primary.mongo.links import stored_field
from nefertari_engine_base.primary.mongo.types import (
    TypeDescription,
    describe_field,
    key_field_of,
)
from nefertari_engine_base.schema import FieldSchema, ModelSchema

T = TypeVar("T")

RawCollection = Collection[dict[str, Any]]

#: Keys of one query: far from the 16 MB that a query may have.
#: https://www.mongodb.com/docs/manual/reference/limits/
MOST_KEYS = 5_000


class _Home(NamedTuple):
    alias: str
    collection: str


_HOMES: WeakKeyDictionary[type, _Home] = WeakKeyDictionary()


def home_of(model: Any) -> RawCollection:
    """The collection that the documents of a class are in.

    ``switch_db`` and ``switch_collection`` give the class another one for a while, in
    all threads. Documents of the index are never made from that: the first call for a
    class, when the configuration is completed, remembers which is its own.

    :raises PrimaryError: if MongoEngine has no connection to its database.
    """
    home = _remembered_home(model)
    collection: RawCollection = _database(model, home.alias)[home.collection]
    return collection


def is_home(model: Any, collection: RawCollection) -> bool:
    """Whether the documents of a class are in this collection."""
    home = _remembered_home(model)
    if home.collection != collection.name:
        return False
    try:
        # Making a collection to compare with would cost more than all the rest, and
        # comparing databases compares what their clients are connected to.
        mine, its = get_db(home.alias), collection.database
        return mine is its or bool(mine == its)
    except ConnectionFailure:
        return False  # it has lost its connection, and this one has not


def database_of(model: Any) -> Any:
    """The database that the documents of a class are in.

    :raises PrimaryError: if MongoEngine has no connection to it.
    """
    return _database(model, _remembered_home(model).alias)


def home_name_of(model: Any) -> str:
    """The name of that collection, whether it can be asked or not."""
    return _remembered_home(model).collection


def _remembered_home(model: Any) -> _Home:
    home = _HOMES.get(model)
    if home is None:
        alias = model._meta.get("db_alias", DEFAULT_CONNECTION_NAME)
        home = _HOMES[model] = _Home(alias, model._get_collection_name())
    return home


def _database(model: Any, alias: str) -> Any:
    try:
        return get_db(alias)
    except ConnectionFailure as error:
        raise PrimaryError(
            f"MongoEngine has no connection {alias!r}, by which {model.__name__} is "
            f"stored: call mongoengine.connect(alias={alias!r}, host=...) before the "
            f"configuration is complete, and mongoengine.disconnect() after the last "
            f"delivery. {error}"
        ) from error


def collection_of(model: Any) -> RawCollection:
    """The collection of a class, to be read for delivery: on the primary, and what a
    majority has.

    The version was drawn with a majority's acknowledgement, so that a majority has
    every write which came before it: what is read after the draw holds them all.
    https://www.mongodb.com/docs/manual/reference/read-concern-majority/
    """
    return home_of(model).with_options(
        read_preference=ReadPreference.PRIMARY, read_concern=ReadConcern("majority")
    )


def of_class(model: Any) -> dict[str, Any]:
    """The query for documents of a class and its subclasses, which may share their
    collection with others."""
    if not model._meta.get("allow_inheritance"):
        return {}
    return {"_cls": {"$in": list(model._subclasses)}}


def with_document(schema: ModelSchema) -> dict[str, Any]:
    """The query for documents of a model that have one in the index."""
    mine = of_class(schema.model)
    if schema.condition is None:
        return mine
    return {"$and": [mine, dict(schema.condition)]} if mine else dict(schema.condition)


def stored_name(model: Any, name: str) -> str:
    """The name of a field in MongoDB."""
    stored: str = model._fields[name].db_field
    return stored


def stored_key(instance: Any) -> Any:
    """The ``_id`` of an instance; ``None`` if it has none yet, or what can be none."""
    if instance.pk is None:
        return None
    try:
        return key_field_of(type(instance)).to_mongo(instance.pk)
    except MISREAD:
        return None


def give_key(document: Any) -> bool:
    """Make sure that a document has a key; whether it was made for it."""
    if "_id" in document:
        return False
    document["_id"] = ObjectId()
    return True


@contextmanager
def known_to(instance: Any, key: Any) -> Iterator[None]:
    """An instance has the key that its document gets, unless that fails."""
    if instance is None or instance.pk is not None:
        yield
        return
    name = instance._meta["id_field"]
    # Not as an attribute, by which MongoEngine would take it for saved.
    instance._data[name] = instance._fields[name].to_python(key)
    try:
        yield
    except BaseException:
        instance._data[name] = None
        raise


def key_reader(model: Any, name: str) -> Callable[[Any], Any]:
    """How stored values of a field that holds keys, or a list of them, are read.

    What is no key of a document, since another program has stored it, is left out: it
    leads to none.
    """
    field = model._fields[name]
    item = getattr(field, "field", None) or field
    described = describe_field(item)
    kind = described.kind if isinstance(described, TypeDescription) else Kind.STRING
    schema = FieldSchema(name=name, kind=kind)
    read = reader_of(schema, item)

    def read_key(value: Any) -> Any:
        try:
            key = None if value is None else read(value)
            schema.encode(key)
        except MISREAD:
            return None
        return key

    def read_keys(value: Any) -> Any:
        if not isinstance(value, list):
            return read_key(value)
        return [key for key in map(read_key, value) if key is not None]

    return read_keys


class Hop(NamedTuple):
    """One step of a path, from documents to those of another collection.

    :attr holder: the schema of the documents that hold keys.
    :attr name: where they do, in MongoDB's names.
    :attr is_back: the step leads to the documents that hold the keys, and not from
        them.
    """

    holder: ModelSchema
    name: str
    is_back: bool = False


def hops(schema: ModelSchema, path: str) -> list[Hop]:
    """The references of a dotted path, from the root to its end.

    What is stored inline is a part of the name.

    :raises KeyError: if there is no such path.
    """
    found = []
    owner, level = schema, schema
    names: list[str] = []
    for relation in schema.follow(path):
        if relation.target_fields:
            (field,) = relation.target_fields
            name = stored_name(relation.document.model, field)
            found.append(Hop(relation.document, name, is_back=True))
            owner = relation.document
        elif relation.inline:
            names.append(stored_name(level.model, relation.name))
        else:
            names.append(reference_name(level.model, relation.name))
            found.append(Hop(owner, ".".join(names)))
            owner, names = relation.document, []
        level = relation.document
    return found


def reference_name(model: Any, relation: str) -> str:
    """The name under which MongoDB finds the keys that a relation of a class leads to,
    which the class holds."""
    name = stored_field(model, relation) or relation
    field = model._fields[name]
    item = getattr(field, "field", None) or field
    stored = stored_name(model, name)
    return f"{stored}.$id" if getattr(item, "dbref", False) else stored


def chunks(keys: Iterable[T]) -> Iterator[Sequence[T]]:
    """Keys, or what has one, so many at a time as one query asks for."""
    listed = list(keys)
    for start in range(0, len(listed), MOST_KEYS):
        yield listed[start : start + MOST_KEYS]


def find_by_keys(
    model: Any,
    query: Mapping[str, Any],
    keys: Iterable[Any],
    names: Iterable[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Raw documents of a class that have these keys and match the query.

    :param names: of the fields to read, as MongoDB has them; ``None`` for all.
    """
    wanted = None if names is None else dict.fromkeys(names, True)
    yield from find_holding(model, "_id", query, keys, wanted)


def find_holding(
    model: Any,
    name: str,
    query: Mapping[str, Any],
    keys: Iterable[Any],
    wanted: Mapping[str, bool] | None = None,
) -> Iterator[dict[str, Any]]:
    """Raw documents of a class that hold any of these keys in a field, and match the
    query. One that holds several of them may come more than once.

    :param name: of the field, as MongoDB has it.
    """
    collection = collection_of(model)
    for chunk in chunks(keys):
        chosen = {"$and": [{name: {"$in": chunk}}, dict(query)]}
        yield from collection.find(chosen, wanted)
