"""Nefertari's reads of a primary, whichever it is: what their parameters mean.

Collections that nefertari's views show are read from the secondary; this is what
writes, authentication and an application's own code ask, so it has to be true now.
``_query_secondary=True`` asks the secondary instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from nefertari_engine_base.compat.errors import bad_request, not_found
from nefertari_engine_base.compat.paging import limits, split_names

_CONTROLS = frozenset(
    {
        *("_start", "_limit", "_page", "_fields", "_count", "_sort", "_explain", "q"),
        *("_search_fields", "_refresh_index", "_strict", "_raise_on_empty"),
        *("_item_request", "_query_secondary", "query_set"),
    }
)


class Rows(list[Any]):
    """Some fields of rows, as dictionaries.

    :attr _nefertari_meta: see :meth:`Reading.get_collection`.
    """

    _nefertari_meta: dict[str, Any]


class Reading:
    """A mixin: the class methods of models that read.

    What the primary does itself are the methods that raise here.
    """

    __not_inherited_by_secondary__ = True

    @classmethod
    def get_collection(cls, **params: Any) -> Any:
        """Rows that match, as a query that can be refined.

        :param _limit: with ``_start`` or ``_page``, a page; otherwise all.
        :param _sort: names of fields, ``-`` before them for descending.
        :param _fields: names of fields: the answer is a list of dictionaries then.
        :param _count: if it is there, the answer is the number of matches.
        :param _explain: if it is there, the answer is what would be asked.
        :param _strict: ``False`` ignores names that are no fields.
        :param _raise_on_empty: whether it is an error that nothing matches.
        :param query_set: a query to begin with.
        :param _query_secondary: ask the secondary.
        :return: a query of the primary's own; its ``_nefertari_meta`` has ``total``,
            ``start`` and ``fields``.
        :raises JHTTPBadRequest: for a bad name or value.
        :raises JHTTPNotFound: if nothing matches, and that is an error.
        """
        if params.pop("_query_secondary", False):
            from nefertari_engine_base.compat.facade import ES

            return ES(cls.__name__).get_collection(**params)
        with cls._refused_values(params):
            query = cls._filtered(params)
            total = cls.count(query)
            if "_count" in params:
                return total
            query = cls.apply_sort(query, split_names(params.get("_sort")))
            start = 0
            if params.get("_limit") is not None:
                start, limit = limits(params)
                query = cls._page(query, start, limit)
            if "_explain" in params:
                return cls._explained(query)
            if params.get("_raise_on_empty") and not total:
                raise cls._not_found(params)
        fields = split_names(params.get("_fields"))
        answer: Any = cls._rows(query, fields) if fields else query
        answer._nefertari_meta = {"total": total, "start": start, "fields": fields}
        return answer

    @classmethod
    def get_item(cls, **params: Any) -> Any:
        """The first row that matches.

        :raises JHTTPNotFound: if there is none, or a value is none of its field; with
            ``_raise_on_empty=False`` the answer is ``None`` instead.
        """
        if params.pop("_query_secondary", False):
            from nefertari_engine_base.compat.facade import ES

            return ES(cls.__name__).get_item(**params)
        from nefertari.json_httpexceptions import JHTTPNotFound

        required = params.pop("_raise_on_empty", True)
        try:
            with cls._refused_values({**params, "_item_request": True}):
                found = cls._first(cls._filtered(params))
            if found is None:
                raise cls._not_found(params)
        except JHTTPNotFound:
            if required:
                raise
            return None
        return found

    @classmethod
    def get_by_ids(cls, ids: Iterable[Any], **params: Any) -> Any:
        """The rows of these primary keys that match; parameters as
        :meth:`get_collection`."""
        return cls.get_collection(query_set=cls._of_keys(list(ids)), **params)

    @classmethod
    def filter_objects(
        cls, objects: Iterable[Any], first: bool = False, **params: Any
    ) -> Any:
        """Those of some objects, documents of the secondary included, that match now.

        :param first: return the first one. :raises JHTTPNotFound: if there is none.
        """
        name = cls.pk_field()
        keys = [getattr(item, name, None) for item in objects]
        query = cls._of_keys([key for key in keys if key is not None])
        if params:
            query = cls.get_collection(query_set=query, **params)
        if not first:
            return query
        found = query.first()
        if found is None:
            raise cls._not_found(params)
        return found

    @classmethod
    def count(cls, query_set: Any) -> int:
        """How many rows a query has."""
        return int(query_set.count())

    # --- names ------------------------------------------------------------------

    @classmethod
    def check_fields_allowed(cls, fields: Iterable[str]) -> None:
        """:raises JHTTPBadRequest: naming those that are no fields of the model."""
        allowed = set(cls.fields_to_query())
        wrong = sorted({f.split("__")[0].strip("+-") for f in fields} - allowed)
        if wrong:
            raise bad_request(
                f"'{cls.__name__}' object does not have fields: {', '.join(wrong)}"
            )

    @classmethod
    def filter_fields(cls, params: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the parameters that name fields."""
        allowed = set(cls.fields_to_query())
        return {n: v for n, v in params.items() if n.split("__")[0] in allowed}

    @classmethod
    def fields_to_query(cls) -> list[str]:
        """Names that a query may have: fields, and parameters of reads."""
        named = ["id", "_limit", "_page", "_sort", "_fields", "_count", "_start"]
        return [*dict.fromkeys([*named, *cls.native_fields()])]

    @classmethod
    def has_field(cls, field: str) -> bool:
        """Whether the model has a field of this name."""
        return field in cls.native_fields()

    # --- what a primary does itself -----------------------------------------------

    @classmethod
    def pk_field(cls) -> str:
        """Name of the primary key."""
        raise NotImplementedError

    @classmethod
    def native_fields(cls) -> list[str]:
        """Names of stored fields, then of relations."""
        raise NotImplementedError

    @classmethod
    def apply_sort(cls, query_set: Any, _sort: Sequence[str]) -> Any:
        """A query, ordered by fields.

        :raises JHTTPBadRequest: for a name that is no stored field.
        """
        raise NotImplementedError

    @classmethod
    def _all(cls) -> Any:
        """The query for every row."""
        raise NotImplementedError

    @classmethod
    def _of_keys(cls, keys: Sequence[Any]) -> Any:
        """The query for the rows of these primary keys."""
        raise NotImplementedError

    @classmethod
    def _where(cls, query: Any, name: str, value: Any) -> Any:
        """A query, refined by one parameter."""
        raise NotImplementedError

    @classmethod
    def _page(cls, query: Any, start: int, limit: int) -> Any:
        raise NotImplementedError

    @classmethod
    def _first(cls, query: Any) -> Any:
        raise NotImplementedError

    @classmethod
    def _explained(cls, query: Any) -> Any:
        raise NotImplementedError

    @classmethod
    def _rows(cls, query: Any, fields: Sequence[str]) -> Rows:
        """Dictionaries of some fields, with ``_type`` and ``_pk``."""
        raise NotImplementedError

    @classmethod
    def _refused_values(cls, params: Mapping[str, Any]) -> AbstractContextManager[None]:
        """A value that a field or the database refuses is the question's fault.

        :raises JHTTPNotFound: for a question about one item, which so cannot exist.
        :raises JHTTPBadRequest: for any other.
        """
        raise NotImplementedError

    # --- how ----------------------------------------------------------------------

    @classmethod
    def _filtered(cls, params: Mapping[str, Any]) -> Any:
        query = params.get("query_set")
        query = cls._all() if query is None else query
        named = {
            name: value
            for name, value in params.items()
            if name not in _CONTROLS and not name.startswith("__") and value != "_all"
        }
        if params.get("_strict", True):
            shown = split_names(params.get("_fields"))
            cls.check_fields_allowed(
                [*named, *shown, *split_names(params.get("_sort"))]
            )
        else:
            named = cls.filter_fields(named)
        for name, value in named.items():
            query = cls._where(query, name, value)
        return query

    @classmethod
    def _not_found(cls, params: Mapping[str, Any]) -> Exception:
        shown = {n: v for n, v in params.items() if n not in _CONTROLS}
        return not_found(f"'{cls.__name__}({shown})' resource not found")


def refusal(model: type, params: Mapping[str, Any], reason: object) -> Exception:
    """What to raise for a value that is refused: of a question about one item, which so
    cannot exist, that it is not found."""
    if params.get("_item_request"):
        return not_found(f"'{model.__name__}({dict(params)})' resource not found")
    return bad_request(str(reason))


def chosen_fields(fields: Sequence[str], every: Iterable[str]) -> list[str]:
    """Those of all fields that ``_fields`` names, or, with ``-``, does not."""
    known = list(every)
    left_out = {name[1:] for name in fields if name.startswith("-")}
    named = [name for name in fields if not name.startswith("-")]
    return [name for name in named or known if name not in left_out and name in known]
