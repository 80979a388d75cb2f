"""Generated documents: what a hit looks like as an object.

A document keeps the hit as the server sent it, and turns a field into the primary's
value when it is first asked for. Making twenty of them costs next to nothing, whatever
they hold, while the documents of ``elasticsearch.dsl`` decode every field at once.
"""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping
from functools import cached_property
from typing import Any, ClassVar, NoReturn

from elasticsearch import dsl
from elasticsearch.dsl._sync.document import IndexMeta
from elasticsearch.dsl.utils import HitMeta, ObjectBase

from nefertari_engine_base.exceptions import SecondaryOwnedError
from nefertari_engine_base.query.queryable import DocumentReads
from nefertari_engine_base.schema import ModelSchema
from nefertari_es.document_search import DocumentSearch
from nefertari_es.index.mapping import SYNC


# It overrides what would decode or hold values: the dictionary that documents of
# `elasticsearch.dsl` are, whose interface stays.
class LazyDocument(ObjectBase):
    """What documents and embedded documents have in common.

    :cvar _schema: the model, once the class is attached.
    """

    _schema: ClassVar[ModelSchema]
    _hit: Mapping[str, Any]

    def __init__(self, meta: Mapping[str, Any] | None = None, **values: Any) -> None:
        source = {name: self._encode(name, value) for name, value in values.items()}
        self.__dict__["_hit"] = {**(meta or {}), "_source": source}

    @classmethod
    def _of(cls, hit: Mapping[str, Any]) -> Any:
        """The document of a hit, which has a ``_source``."""
        document = object.__new__(cls)
        document.__dict__["_hit"] = hit
        return document

    @classmethod
    def from_es(cls, hit: Any, data_only: bool = False) -> Any:
        """The document of what a search answers with, for ``elasticsearch.dsl``."""
        data = getattr(hit, "body", hit)
        if data_only:
            data = {"_source": data}
        elif "_source" not in data:
            data = {**data, "_source": {}}
        return cls._of(data)

    @classmethod
    def _encode(cls, name: str, value: Any) -> Any:
        schema = cls._schema
        if field := schema.fields.get(name):
            return field.encode(value)
        if name not in schema.relations:
            raise TypeError(f"{schema.name} has no field {name!r}")
        if isinstance(value, list | tuple):
            return [_plain(item) for item in value]
        return _plain(value)

    @property
    def _type(self) -> str:
        return self._schema.name

    @property
    def _pk(self) -> str:
        """The id of the document, or of the row that is embedded."""
        schema = self._schema
        return str(
            self._hit.get("_id")
            or schema.document_id([getattr(self, name) for name in schema.primary_key])
        )

    @property
    def pk(self) -> str:
        """The same, where the model has no attribute of this name."""
        return self._pk

    def to_dict(self, *_: Any, **__: Any) -> dict[str, Any]:
        """The stored fields as plain JSON data, in a new dictionary.

        Arguments that other documents' ``to_dict`` take change nothing.
        """
        return dict(self._hit["_source"])

    @property
    def _d_(self) -> dict[str, Any]:  # type: ignore[override]
        return self.to_dict()

    def __getattr__(self, name: str) -> Any:
        # Only what is neither a field, a method nor an attribute comes here.
        raise AttributeError(f"{type(self).__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)

    def __contains__(self, name: object) -> bool:
        return name in self._hit["_source"]

    def __getitem__(self, name: str) -> Any:
        if name in self._schema.fields or name in self._schema.relations:
            return getattr(self, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.to_dict())

    def keys(self) -> KeysView[str]:
        """The names that :meth:`to_dict` has."""
        return self.to_dict().keys()

    def items(self) -> ItemsView[str, Any]:
        """The items that :meth:`to_dict` has."""
        return self.to_dict().items()

    def __bool__(self) -> bool:
        return True

    def __dir__(self) -> list[str]:
        return sorted(object.__dir__(self))

    def __getstate__(self) -> Any:
        return self._hit

    def __setstate__(self, state: Any) -> None:
        self.__dict__["_hit"] = state


def _plain(value: Any) -> Any:
    return value.to_dict() if isinstance(value, LazyDocument) else value


class InnerDocument(LazyDocument, dsl.InnerDoc):
    """Base of the classes of embedded documents. Two are equal by their contents."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return bool(self._hit["_source"] == other._hit["_source"])

    __hash__ = None  # type: ignore[assignment]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._hit['_source']!r}>"


class DocumentType(IndexMeta):
    """Metaclass of generated documents: each has an index of its own from the start.

    Otherwise they would share the index of their base, and it would keep them all.
    """

    @classmethod
    def construct_index(cls, opts: Any, bases: tuple[type, ...]) -> dsl.Index:
        """The index of a class that is not attached yet: nameless."""
        return dsl.Index(name=None)  # type: ignore[arg-type]


class BaseDocument(DocumentReads, LazyDocument, dsl.Document, metaclass=DocumentType):
    """The one base of generated documents.

    ``Model.secondary.search()`` is a search of ``elasticsearch.dsl``, whose hits are
    documents of the class. Documents are equal if they are of one class and id. They
    cannot be written: the primary owns them.
    """

    @cached_property
    def meta(self) -> HitMeta:  # type: ignore[override]
        """What the server says of the hit: ``id``, ``score``, ``version``, ..."""
        return HitMeta(dict(self._hit))

    @property
    def _score(self) -> float | None:
        """How well the document matches; ``None`` where hits were not scored."""
        score = self._hit.get("_score")
        return None if score is None else float(score)

    def to_dict(self, *_: Any, **__: Any) -> dict[str, Any]:
        """The stored fields as plain JSON data, with ``_type`` and ``_pk``."""
        data = dict(self._hit["_source"])
        data.pop(SYNC, None)
        data["_type"] = self._schema.name
        data["_pk"] = self._pk
        return data

    @classmethod
    def search(cls, using: Any = None, index: str | None = None) -> DocumentSearch[Any]:
        """A search of this model's documents, to be refined.

        :param using: another client, or the name of one.
        :param index: another index than the model's.
        """
        # The option that the base class sets here is unknown to older servers.
        return DocumentSearch(
            using=cls._get_using(using), index=cls._default_index(index), doc_type=[cls]
        )

    @classmethod
    def _matches(cls, hit: Mapping[str, Any]) -> bool:
        # Hits carry the name of the index behind the alias: the alias and a number.
        # What follows the alias of Movie may also be the one of MovieStar.
        alias, _, number = str(hit.get("_index", "")).rpartition("-")
        return alias == cls._index._name and number.isdigit()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._pk == other._pk

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((type(self), self._pk))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._pk}>"

    # --- what only the primary may do

    def save(self, *_: Any, **__: Any) -> NoReturn:
        """Refused. :raises SecondaryOwnedError:"""
        raise SecondaryOwnedError(type(self).__name__, "save")

    def update(self, *_: Any, **__: Any) -> NoReturn:
        """Refused. :raises SecondaryOwnedError:"""
        raise SecondaryOwnedError(type(self).__name__, "update")

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refused. :raises SecondaryOwnedError:"""
        raise SecondaryOwnedError(type(self).__name__, "delete")

    @classmethod
    def bulk(cls, *_: Any, **__: Any) -> NoReturn:
        """Refused. :raises SecondaryOwnedError:"""
        raise SecondaryOwnedError(cls.__name__, "bulk")

    @classmethod
    def init(cls, *_: Any, **__: Any) -> NoReturn:
        """Refused; ``setup_database`` does it. :raises SecondaryOwnedError:"""
        raise SecondaryOwnedError(cls.__name__, "init")
