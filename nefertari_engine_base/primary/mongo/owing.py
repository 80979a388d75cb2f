"""Writes to collections that name no documents: all of them are owed.

A write that says which documents it is about is announced; see
:mod:`~nefertari_engine_base.primary.mongo.capturing`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pymongo.collection import Collection

from nefertari_engine_base.exceptions import UncapturedStatement
from nefertari_engine_base.primary.mongo.announcing import owed
from nefertari_engine_base.primary.mongo.sources import SOURCES, Source
from nefertari_engine_base.primary.mongo.updates import replaced_by
from nefertari_engine_base.values.debts import CLEARED, UNFOLLOWED

log = logging.getLogger(__name__)


class OwingCollection(Collection[dict[str, Any]]):
    """PyMongo's collection; what it clears, or fills unseen, is owed.

    It takes the arguments of :class:`pymongo.collection.Collection`.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)

    def drop(self, *args: Any, **options: Any) -> None:
        """See :meth:`pymongo.collection.Collection.drop`; its documents are owed."""
        with owed(SOURCES.of(self), CLEARED):
            super().drop(*args, **options)

    def rename(self, *args: Any, **options: Any) -> Any:
        """See :meth:`pymongo.collection.Collection.rename`; its documents are owed."""
        with owed(SOURCES.of(self), CLEARED):
            return super().rename(*args, **options)

    def aggregate(self, pipeline: Any, *args: Any, **options: Any) -> Any:
        """See :meth:`pymongo.collection.Collection.aggregate`; what it replaces by
        ``$out``, or changes by ``$merge``, is owed."""
        target = replaced_by(self, pipeline)
        with owed(SOURCES.of(target) if target is not None else (), CLEARED):
            return super().aggregate(pipeline, *args, **options)

    def bulk_write(self, *args: Any, **options: Any) -> Any:
        """See :meth:`pymongo.collection.Collection.bulk_write`; what it writes is not
        known, so that all documents are owed."""
        with unfollowed(SOURCES.of(self), f"bulk_write on {self.name!r}"):
            return super().bulk_write(*args, **options)


@contextmanager
def unfollowed(sources: Sequence[Source], what: str) -> Iterator[None]:
    """Owe all documents that show these sources', and warn: the block writes what is
    not known.

    :param what: it is that writes.
    :raises UncapturedStatement: if that is what the settings say; nothing is written.
    """
    names = ", ".join(sorted({source.name for source in sources}))
    if any(source.publisher.refuses_uncaptured for source in sources):
        raise UncapturedStatement(
            f"{what} cannot be followed, and nefertari.uncaptured = refuse. Use "
            f"insert_many, update_many, delete_many or the query set's methods for "
            f"{names}."
        )
    if sources:
        log.warning(
            "%s cannot be followed: workers will compare all documents of %s with what "
            "is stored. insert_many, update_many, delete_many and the query set's "
            "methods are followed.",
            what,
            names,
        )
    with owed(sources, UNFOLLOWED):
        yield
