"""Start-up of an application with 200 models: what generating their documents takes."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import sqlalchemy as sa
from elasticsearch import dsl
from sqlalchemy.orm import Mapped, configure_mappers, mapped_column, relationship

from benchmarks.measure import Bar, Contender, Result
from benchmarks.models import StoryColumns, new_base
from benchmarks.setting import Setting, configure

OURS = "their secondary classes, with schemas and graph"
MODELS = "the SQLAlchemy models themselves"
BY_HAND = "elasticsearch.dsl documents by hand"

BARS = (Bar(OURS, None, 0.5, "seconds"),)

COUNT = 200


def run(setting: Setting) -> Result:
    """Measure."""
    # The bar is one of 200 models: a quick run has as many.
    count = min(COUNT, setting.size(3 * COUNT, 10))
    with ExitStack() as stack:
        engine = sa.create_engine("sqlite://")
        stack.callback(engine.dispose)
        ours = _Ours(setting, engine, count)
        stack.callback(ours.after)
        contenders = [
            Contender(MODELS, lambda _: make_models(count)),
            Contender(BY_HAND, lambda _: _documents_by_hand(count)),
            Contender(OURS, ours.operation, ours.before, ours.after),
        ]
        samples = setting.measure(contenders, setting.plan())
    return Result(f"generation: {count} models", samples, MODELS, BARS)


def make_models(count: int) -> list[type]:
    """Models of ten columns that each embed an author."""
    base = new_base()
    author = type("Author", (_AuthorColumns, base), {"__tablename__": "authors"})
    models = [_make_model(f"Story{number}", base, author) for number in range(count)]
    configure_mappers()
    return models


class _AuthorColumns:
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def _make_model(name: str, base: type, author: type) -> type:
    namespace: dict[str, Any] = {
        "__tablename__": name.lower(),
        "subtitle": mapped_column(sa.String(200)),
        "language": mapped_column(sa.String(2)),
        "pages": mapped_column(sa.Integer),
        "author_id": mapped_column(sa.ForeignKey("authors.id")),
        "author": relationship(author),
    }
    return type(name, (StoryColumns, base), namespace)


class _Ours:
    """Configures an application; each time over models that nobody has seen."""

    def __init__(self, setting: Setting, engine: sa.Engine, count: int) -> None:
        self._setting = setting
        self._engine = engine
        self._count = count
        self._models: list[type] = []
        self._engines: list[Any] = []

    def before(self) -> None:
        self._models = make_models(self._count)

    def operation(self, _: int) -> None:
        self._engines.append(configure(self._setting, self._engine, self._declare))

    def after(self) -> None:
        while self._engines:
            self._engines.pop().close()
        self._models = []

    def _declare(self, config: Any) -> None:
        for model in self._models:
            config.add_secondary(model, nested=("author",))


def _documents_by_hand(count: int) -> list[type]:
    made = []
    for number in range(count):
        author = type("Author", (dsl.InnerDoc,), {"id": dsl.Long(), "name": dsl.Text()})
        namespace = {
            "id": dsl.Long(),
            "title": dsl.Text(),
            "description": dsl.Text(),
            "tag": dsl.Text(),
            "price": dsl.Double(),
            "created": dsl.Date(),
            "subtitle": dsl.Text(),
            "language": dsl.Text(),
            "pages": dsl.Long(),
            "author_id": dsl.Long(),
            "author": dsl.Object(author),
        }
        made.append(type(f"Story{number}", (dsl.Document,), namespace))
    return made
