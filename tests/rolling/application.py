"""Two versions of one application: ``use = call:`` this ``main`` with a ``version``.

The new one has a column and a model more, and calls a model otherwise. Its tables are
those of both: they were migrated before.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from pyramid.config import Configurator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from nefertari_engine_base import Queryable


def old_models() -> Any:
    """Films and directors."""

    class Base(DeclarativeBase):
        """Of the old version."""

    class Film(Queryable, Base):
        """Without its year."""

        __tablename__ = "films"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]

    class Director(Queryable, Base):
        """Will be called Person."""

        __tablename__ = "directors"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    class Country(Queryable, Base):
        """Stays what it is."""

        __tablename__ = "countries"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    return SimpleNamespace(Film=Film, Director=Director, Country=Country)


def new_models() -> Any:
    """Films with a year, persons, and prizes."""

    class Base(DeclarativeBase):
        """Of the new version."""

    class Film(Queryable, Base):
        """With its year."""

        __tablename__ = "films"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str]
        year: Mapped[int | None] = mapped_column(sa.Integer)

    class Person(Queryable, Base):
        """Was called Director."""

        __tablename__ = "directors"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    class Country(Queryable, Base):
        """Has not changed."""

        __tablename__ = "countries"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    class Prize(Queryable, Base):
        """Is new."""

        __tablename__ = "prizes"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    return SimpleNamespace(Film=Film, Person=Person, Country=Country, Prize=Prize)


def declare(config: Any, models: Any) -> None:
    """Give all of them documents."""
    for model in vars(models).values():
        config.add_secondary(model)


def main(global_config: Any, **settings: Any) -> Any:
    """An application without views."""
    with Configurator(settings=settings) as config:
        config.include("nefertari_engine_base")
        declare(config, {"old": old_models, "new": new_models}[settings["version"]]())
    return config.make_wsgi_app()
