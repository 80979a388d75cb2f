"""Reads as class methods: of models that want them, and of every document class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from nefertari_engine_base.engines import owner_of
from nefertari_engine_base.query import dispatcher


class Queryable:
    """A mixin for models: reads by either engine, the secondary by default.

    It stores nothing and needs no particular primary engine::

        class Movie(Queryable, Base): ...

        Movie.get_collection(q="blade runner", year=1982, _sort="-rating")
    """

    __not_inherited_by_secondary__ = True

    #: The generated document class; there once the application is configured.
    secondary: ClassVar[Any]

    @classmethod
    def get_collection(cls, **parameters: Any) -> Any:
        """See :func:`nefertari_engine_base.query.dispatcher.get_collection`."""
        return dispatcher.get_collection(owner_of(cls), cls, parameters)

    @classmethod
    def get_item(cls, **parameters: Any) -> Any:
        """See :func:`nefertari_engine_base.query.dispatcher.get_item`."""
        return dispatcher.get_item(owner_of(cls), cls, parameters)

    @classmethod
    def get_by_ids(cls, ids: Sequence[object], **parameters: Any) -> list[Any | None]:
        """See :func:`nefertari_engine_base.query.dispatcher.get_by_ids`."""
        return dispatcher.get_by_ids(owner_of(cls), cls, ids, parameters)

    @classmethod
    def count(cls, **parameters: Any) -> int:
        """See :func:`nefertari_engine_base.query.dispatcher.count`."""
        return dispatcher.count(owner_of(cls), cls, parameters)

    def to_dict(self) -> dict[str, Any]:
        """What :meth:`to_dict` of the document of this instance returns.

        Plain data of the indexed fields, with ``_type`` and ``_pk``, so that whoever
        answered a read, its items are shown alike.
        """
        primary = owner_of(type(self)).primary_of(type(self))
        data = dict(primary.to_dict(self))
        data["_type"] = type(self).__name__
        data["_pk"] = primary.document_id(self)
        return data


class DocumentReads:
    """A mixin for the document classes of secondary engines: they read themselves.

    The same names as :class:`Queryable`, always answered by the secondary.
    """

    @classmethod
    def get_collection(cls, **parameters: Any) -> Any:
        """See :func:`nefertari_engine_base.query.dispatcher.get_collection`."""
        parameters["_query_secondary"] = True
        return dispatcher.get_collection(owner_of(cls), cls, parameters)

    @classmethod
    def get_item(cls, **parameters: Any) -> Any:
        """See :func:`nefertari_engine_base.query.dispatcher.get_item`."""
        parameters["_query_secondary"] = True
        return dispatcher.get_item(owner_of(cls), cls, parameters)

    @classmethod
    def get_by_ids(cls, ids: Sequence[object]) -> list[Any | None]:
        """See :func:`nefertari_engine_base.query.dispatcher.get_by_ids`."""
        choice = {"_query_secondary": True}
        return dispatcher.get_by_ids(owner_of(cls), cls, ids, choice)

    @classmethod
    def count(cls, **parameters: Any) -> int:
        """See :func:`nefertari_engine_base.query.dispatcher.count`."""
        parameters["_query_secondary"] = True
        return dispatcher.count(owner_of(cls), cls, parameters)
