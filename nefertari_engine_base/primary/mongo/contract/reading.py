"""Reads of models by nefertari's parameters, answered by MongoDB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import mongoengine as me
from pyramid.settings import asbool

from nefertari_engine_base.compat.errors import bad_request
from nefertari_engine_base.compat.paging import split_names
from nefertari_engine_base.compat.reading import (
    Reading,
    Rows,
    chosen_fields,
    refusal,
)
from nefertari_engine_base.primary.mongo.links import Link, keys_in, links_of

_REFUSED = (me.ValidationError, me.errors.InvalidQueryError, me.LookUpError, ValueError)


class Reads(Reading):
    """A mixin: the class methods of models that read.

    Queries are query sets of MongoEngine. A parameter may end as its filters do:
    ``price__gte=2``.
    """

    __not_inherited_by_secondary__ = True

    objects: Any

    @classmethod
    def apply_sort(cls, query_set: Any, _sort: Sequence[str]) -> Any:
        """See :meth:`~nefertari_engine_base.compat.reading.Reading.apply_sort`."""
        stored = cls._stored()  # type: ignore[attr-defined]
        for item in _sort:
            if item.lstrip("+-") not in stored:
                name = item.lstrip("+-")
                raise bad_request(f"'{cls.__name__}' cannot be sorted by: {name}")
        return query_set.order_by(*_sort) if _sort else query_set

    @classmethod
    def _all(cls) -> Any:
        return cls.objects

    @classmethod
    def _of_keys(cls, keys: Sequence[Any]) -> Any:
        field = cls._fields[cls.pk_field()]  # type: ignore[attr-defined]
        known = []
        for key in keys:
            # What is no key of the model is the key of nothing.
            with suppress(*_REFUSED):
                known.append(field.prepare_query_value(None, key))
        return cls.objects(pk__in=known)

    @classmethod
    def _where(cls, query: Any, name: str, value: Any) -> Any:
        path, _, suffix = name.partition("__")
        if suffix == "bool":
            value, suffix = asbool(value), ""
        elif suffix in ("in", "all"):
            value = split_names(value)
        if (link := links_of(cls).get(path)) is not None:
            return _where_related(query, link, value)
        fields: Any = cls._fields  # type: ignore[attr-defined]
        if path == "id" and path not in fields:
            path = "pk"
        is_list = isinstance(fields.get(path), me.ListField)
        if not suffix and isinstance(value, list | tuple):
            suffix = "all" if is_list else "in"
        return query.filter(**{f"{path}__{suffix}" if suffix else path: value})

    @classmethod
    def _page(cls, query: Any, start: int, limit: int) -> Any:
        # To MongoDB no limit at all is one of nothing.
        return query.skip(start).limit(limit) if limit else query.none()

    @classmethod
    def _first(cls, query: Any) -> Any:
        return query.first()

    @classmethod
    def _explained(cls, query: Any) -> dict[str, Any]:
        return {
            "collection": query._collection.name,
            "filter": query._query,
            "sort": query._ordering,
            "skip": query._skip,
            "limit": query._limit,
        }

    @classmethod
    def _rows(cls, query: Any, fields: Sequence[str]) -> Rows:
        chosen = chosen_fields(fields, cls._stored())  # type: ignore[attr-defined]
        return Rows(
            {
                **{name: getattr(row, name) for name in chosen},
                "_type": cls.__name__,
                "_pk": str(row.pk),
            }
            for row in query.only(cls.pk_field(), *chosen)
        )

    @classmethod
    def _refused_values(cls, params: Mapping[str, Any]) -> AbstractContextManager[None]:
        return refused_values(cls, params)


def _where_related(query: Any, link: Link, value: Any) -> Any:
    """Documents that are related to what has this key, or any of these."""
    many = isinstance(value, list | tuple)
    if link.owner_field is not None:
        suffix = "__in" if many else ""
        return query.filter(**{f"{link.owner_field}{suffix}": value})
    held = link.target_field or ""
    if value is None:
        found = link.target.objects(**{f"{held}__ne": None}).scalar(held)
        return query.filter(pk__nin=keys_in(found))
    keys = (
        [item.pk if isinstance(item, me.Document) else item for item in value]
        if (many)
        else [value.pk if isinstance(value, me.Document) else value]
    )
    found = link.target.objects(pk__in=keys).scalar(held)
    return query.filter(pk__in=keys_in(found))


@contextmanager
def refused_values(model: type, params: Mapping[str, Any]) -> Iterator[None]:
    """A value that a field refuses is the question's fault.

    :raises JHTTPNotFound: for a question about one item, which so cannot exist.
    :raises JHTTPBadRequest: for any other.
    """
    try:
        yield
    except _REFUSED as error:
        raise refusal(model, params, error) from error
