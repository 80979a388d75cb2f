"""What was indexed against the rows, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from examples.movies.database import Database, database_of
from examples.movies.load import indexed
from nefertari_engine_base import Engines

#: The fields that the documents of each model must have; embedded ones by their path.
FIELDS: dict[str, tuple[str, ...]] = {
    "Movie": (
        *("id", "title", "release_date", "year", "mpaa_rating", "running_time"),
        *("source", "creative_type", "us_gross", "worldwide_gross", "us_dvd_sales"),
        *("production_budget", "rotten_tomatoes", "imdb_rating", "imdb_votes"),
        *("director.id", "director.name"),
        *("distributor.id", "distributor.name"),
        *("genre.id", "genre.name"),
    ),
    "Director": (
        *("id", "name"),
        *("films.id", "films.title", "films.year", "films.imdb_rating"),
    ),
}

_AT_ONCE = 1000


@dataclass(slots=True)
class Comparison:
    """What a comparison found.

    :attr differences: one sentence for each.
    """

    documents: int = 0
    fields: int = 0
    differences: list[str] = field(default_factory=list)


def compare(engines: Engines) -> Comparison:
    """Compare every row with its document, and look for documents without rows."""
    comparison = Comparison()
    database = database_of(engines.registry)
    for model in indexed(engines):
        _compare_model(database, model, comparison)
    return comparison


def _compare_model(database: Database, model: Any, comparison: Comparison) -> None:
    rows = {row.id: row for row in database.rows(model)}
    fields = (*FIELDS[model.__name__], *database.models.OWN_FIELDS.get(model, ()))
    for document in _documents(model):
        row = rows.pop(document.id, None)
        name = f"{model.__name__} {document.id}"
        comparison.documents += 1
        if row is None:
            comparison.differences.append(f"{name} is indexed, but there is no row")
            continue
        for path in fields:
            comparison.fields += 1
            expected, found = _value(row, path), _value(document, path)
            if not _same(expected, found):
                comparison.differences.append(
                    f"{name}.{path} is {found!r} in the index, and {expected!r} in "
                    f"its row"
                )
    comparison.differences += [f"{model.__name__} {id_} is not indexed" for id_ in rows]


def _documents(model: Any) -> Iterator[Any]:
    """Every document that a search finds, a page at a time."""
    model.secondary.count(_refresh_index=True)
    last, found = 0, True
    while found:
        page = model.secondary.get_collection(id__gt=last, _sort="id", _limit=_AT_ONCE)
        yield from page
        found = bool(page)
        if found:
            last = page[-1].id


def _value(owner: Any, path: str) -> Any:
    """The value at a path; of the rows of a list, each with its key, sorted by it."""
    name, _, rest = path.partition(".")
    value = getattr(owner, name)
    if not rest or value is None:
        return value
    if isinstance(value, Sequence):
        return sorted((item.id, _value(item, rest)) for item in value)
    return _value(value, rest)


def _same(expected: Any, found: Any) -> bool:
    return type(expected) is type(found) and bool(expected == found)
