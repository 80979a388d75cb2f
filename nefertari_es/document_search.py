"""The search that ``Model.secondary.search()`` returns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn, TypeVar

from elasticsearch import dsl
from elasticsearch.dsl.response import Response

from nefertari_engine_base.exceptions import SecondaryOwnedError
from nefertari_es.client import translated_errors

D = TypeVar("D")


class DocumentSearch(dsl.Search[D]):
    """A search of ``elasticsearch.dsl`` whose hits are generated documents.

    Its errors are those of :mod:`nefertari_engine_base.exceptions`. :meth:`scan` reads
    all hits on every server; ``iterate`` needs Elasticsearch.
    """

    def execute(self, ignore_cache: bool = False) -> Response[D]:
        """Run the search, once unless told otherwise."""
        with translated_errors():
            return super().execute(ignore_cache)

    def count(self) -> int:
        """How many documents match."""
        with translated_errors():
            return super().count()

    def scan(self) -> Iterator[D]:
        """Every document that matches, in no particular order."""
        with translated_errors():
            yield from super().scan()

    def delete(self) -> NoReturn:
        """Refused. :raises SecondaryOwnedError:"""
        names = [getattr(owner, "__name__", str(owner)) for owner in self._doc_type]
        raise SecondaryOwnedError(", ".join(names), "search().delete")
