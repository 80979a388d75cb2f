"""An application that is loaded before its server forks: ``use = call:`` its ``main``.

It sets up the database and writes at its start, so that every socket is open by then.
"""

from __future__ import annotations

import os
from typing import Any

import mongoengine as me
from pyramid.config import Configurator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from nefertari_engine_base import Queryable, engines_of, setup_database


class Base(DeclarativeBase):
    """The base of the model."""


class Note(Queryable, Base):
    """In SQL."""

    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class Paper(me.Document):
    """In MongoDB."""

    key = me.IntField(primary_key=True)
    text = me.StringField()


class Store:
    """What the views do, in the words of a database."""

    def __init__(self, engines: Any) -> None:
        self.engines = engines
        self.sessions = getattr(engines.primaries.get("sqla"), "sessions", None)
        self.model: Any = Paper if self.sessions is None else Note

    def create(self, key: int, text: str) -> None:
        if self.sessions is None:
            Paper(key=key, text=text).save()
            return
        with self.sessions.factory.begin() as session:
            session.add(Note(id=key, text=text))

    def in_database(self, key: int) -> str:
        if self.sessions is None:
            return str(Paper.objects.get(key=key).text)
        with self.sessions.factory() as session:
            return str(session.get_one(Note, key).text)

    def in_index(self, key: int) -> str | None:
        schema = self.engines.schema_of(self.model)
        (found,) = self.engines.secondary.get(schema, [str(key)])
        return None if found is None else str(found.text)


def create(request: Any) -> dict[str, Any]:
    """Write, and read what was written, from both sides."""
    key, text = int(request.params["key"]), request.params["text"]
    store = request.registry["store"]
    store.create(key, text)
    return {
        "process": os.getpid(),
        "database": store.in_database(key),
        "index": store.in_index(key),
    }


def read(request: Any) -> dict[str, Any]:
    """What the index has of one."""
    key = int(request.params["key"])
    return {"index": request.registry["store"].in_index(key)}


def main(global_config: Any, **settings: Any) -> Any:
    """The application, with everything in use."""
    with Configurator(settings=settings) as config:
        config.include("nefertari_engine_base")
        is_mongo = "mongodb.url" in settings
        config.add_secondary(Paper if is_mongo else Note)
        for name, view in (("create", create), ("read", read)):
            config.add_route(name, f"/{name}")
            config.add_view(view, route_name=name, renderer="json")
        setup_database(config)
    store = config.registry["store"] = Store(engines_of(config.registry))
    store.create(0, "before the fork")
    assert store.in_index(0) == store.in_database(0) == "before the fork"
    return config.make_wsgi_app()
