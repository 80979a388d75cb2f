"""A page of 20 hits: as documents, and as models of the primary.

Each query looks for three words in the descriptions of stories with a tag, sorted by
price. All contenders ask the same queries in the same order.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import sqlalchemy as sa
from elasticsearch import dsl
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    joinedload,
    mapped_column,
    relationship,
)

from benchmarks.measure import Bar, Contender, Result
from benchmarks.models import WORDS, StoryColumns, story_values
from benchmarks.setting import Setting, application, database
from nefertari_engine_base import Queryable
from nefertari_engine_base.engines import Engines
from nefertari_engine_base.sync.rebuild import index_all

PLAIN = "perform_request, the same body"
OURS = "get_collection"
OURS_READ = "get_collection, every field read"
OURS_DICTS = "get_collection, to_dict() of each"
DSL_HITS = "dsl.Search, Hit"
DSL_DOCUMENTS = "dsl.Search, Document"
IDS_IN = "perform_request for ids, then one IN query"
HYDRATED = "get_collection(_hydrate=True)"

BARS = (
    Bar(OURS, PLAIN, 1.25),
    Bar(HYDRATED, IDS_IN, 1.1),
)

QUERIES = 500
AUTHORS = 1000
_JSON = {"accept": "application/json", "content-type": "application/json"}


class Base(DeclarativeBase):
    """The base of the models."""


class Author(Base):
    """Writes stories."""

    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(80))


class Story(StoryColumns, Queryable, Base):
    """Embeds its author."""

    __tablename__ = "stories"
    author_id: Mapped[int] = mapped_column(sa.ForeignKey("authors.id"))
    author: Mapped[Author] = relationship()


def run(setting: Setting) -> Result:
    """Measure."""
    count = setting.size(100_000, 2000)
    with ExitStack() as stack:
        engine = stack.enter_context(database(setting))
        engines = stack.enter_context(application(setting, engine, _declare))
        _fill(engine, engines, count)
        pages = _Pages(engines, _queries(setting.seed))
        pages.check()
        plan = setting.plan(operations=10, blocks=12, warm_up=300)
        samples = setting.measure(pages.contenders(), plan)
    title = f"pages: 20 hits of {count:,} documents"
    return Result(title, samples, PLAIN, BARS)


def _declare(config: Any) -> None:
    config.add_secondary(
        Story,
        nested=("author",),
        # The server needs no analyzer for a keyword, and compares it as a whole.
        fields={"tag": dsl.Keyword()},
    )


def _fill(engine: sa.Engine, engines: Engines, count: int) -> None:
    with engine.begin() as connection:
        connection.execute(
            sa.insert(Author),
            [{"id": n, "name": f"{WORDS[n % 34]} {n}"} for n in range(1, AUTHORS + 1)],
        )
        for start in range(0, count, 5000):
            numbers = range(start, min(start + 5000, count))
            connection.execute(
                sa.insert(Story),
                [
                    {"id": n, "author_id": n % AUTHORS + 1, **story_values(n)}
                    for n in numbers
                ],
            )
        connection.exec_driver_sql("ANALYZE")
    schema = engines.schema_of(Story)
    index_all(engines, schema)
    secondary: Any = engines.secondary
    alias = secondary.model_of(schema).alias
    patient = secondary.client.options(request_timeout=300)
    patient.indices.forcemerge(index=alias, max_num_segments=1)
    secondary.refresh([schema])


def _queries(seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    return [
        {
            "q": " ".join(rng.sample(WORDS, 3)),
            "_search_fields": "description",
            "tag": rng.choice(WORDS),
            "_sort": "price",
            "_limit": 20,
        }
        for _ in range(QUERIES)
    ]


class _Pages:
    """The contenders: functions that answer the query of a number."""

    def __init__(self, engines: Engines, queries: list[dict[str, Any]]) -> None:
        self._queries = queries
        self._primary: Any = engines.primary_of(Story)
        secondary: Any = engines.secondary
        self._client = secondary.client
        self._alias = secondary.model_of(engines.schema_of(Story)).alias
        self._requests = [Story.get_collection(**q, _explain=True) for q in queries]
        self._by_hand = partial(_document_by_hand(self._alias).search, self._client)

    def contenders(self) -> list[Contender]:
        """Each with the query of the operation's number."""
        answers: dict[str, Callable[[int], Any]] = {
            PLAIN: self.plain,
            OURS: self.ours,
            OURS_READ: self.ours_read,
            OURS_DICTS: self.ours_dicts,
            DSL_HITS: self.dsl_hits,
            DSL_DOCUMENTS: self.dsl_documents,
            IDS_IN: self.ids_then_in,
            HYDRATED: self.hydrated,
        }
        return [
            Contender(name, partial(_answer, answer))
            for name, answer in answers.items()
        ]

    def check(self) -> None:
        """All contenders find the same. :raises RuntimeError: if one does not."""
        for number in range(10):
            hits = self.plain(number)["hits"]["hits"]
            found = {
                "perform_request": [int(hit["_id"]) for hit in hits],
                OURS: [document.id for document in self.ours(number)],
                DSL_HITS: [int(hit.meta.id) for hit in self.dsl_hits(number)],
                DSL_DOCUMENTS: [int(doc.meta.id) for doc in self.dsl_documents(number)],
                IDS_IN: self.ids_then_in(number),
                HYDRATED: self.hydrated(number),
            }
            if len({tuple(ids) for ids in found.values()}) > 1 or len(hits) != 20:
                raise RuntimeError(f"The contenders do not agree: {found}")

    def plain(self, number: int) -> Any:
        request = self._requests[number]
        return self._client.perform_request(
            request["method"], request["path"], headers=_JSON, body=request["body"]
        ).body

    def ours(self, number: int) -> Any:
        return Story.get_collection(**self._queries[number])

    def ours_read(self, number: int) -> Any:
        page = self.ours(number)
        for document in page:
            _read(document)
        return page

    def ours_dicts(self, number: int) -> Any:
        return [document.to_dict() for document in self.ours(number)]

    def _search(self, search: Any, number: int) -> Any:
        query = self._queries[number]
        return (
            search.query("query_string", query=query["q"], fields=["description"])
            .filter("term", tag=query["tag"])
            .sort("price", "id")
            .extra(size=20, track_total_hits=True)
        )

    def dsl_hits(self, number: int) -> Any:
        search = dsl.Search(using=self._client, index=self._alias)
        return list(self._search(search, number).execute())

    def dsl_documents(self, number: int) -> Any:
        return list(self._search(self._by_hand(), number).execute())

    def ids_then_in(self, number: int) -> list[int]:
        request = self._requests[number]
        answer = self._client.perform_request(
            request["method"],
            f"{request['path']}&filter_path=took,hits.total.value,hits.hits._id",
            headers=_JSON,
            body={**request["body"], "_source": False},
        ).body
        ids = [int(hit["_id"]) for hit in answer["hits"]["hits"]]
        session = self._primary.sessions.current()
        statement = (
            sa.select(Story).where(Story.id.in_(ids)).options(joinedload(Story.author))
        )
        found = {story.id: story for story in session.scalars(statement)}
        stories = [found[id_] for id_ in ids if id_ in found]
        read = [story.id for story in stories if story.author]
        self._primary.sessions.remove()
        return read

    def hydrated(self, number: int) -> list[int]:
        page = Story.get_collection(**self._queries[number], _hydrate=True)
        read = [story.id for story in page if story.author]
        self._primary.sessions.remove()
        return read


def _answer(answer: Callable[[int], Any], number: int) -> Any:
    return answer(number % QUERIES)


def _read(document: Any) -> None:
    for name in ("id", "title", "description", "tag", "price", "created", "author_id"):
        getattr(document, name)
    author = document.author
    author.id, author.name  # noqa: B018


def _document_by_hand(alias: str) -> type[dsl.Document]:
    author = type(
        "AuthorInside", (dsl.InnerDoc,), {"id": dsl.Long(), "name": dsl.Text()}
    )
    namespace = {
        "id": dsl.Long(),
        "title": dsl.Text(),
        "description": dsl.Text(),
        "tag": dsl.Keyword(),
        "price": dsl.Double(),
        "created": dsl.Date(),
        "author_id": dsl.Long(),
        "author": dsl.Object(author),
        "Index": type("Index", (), {"name": alias}),
    }
    return type("StoryDocument", (dsl.Document,), namespace)
