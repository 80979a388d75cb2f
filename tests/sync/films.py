"""What tests do to films, each in a transaction of its own."""

from __future__ import annotations

from typing import Any

from tests.application import Application
from tests.sync.models import Movie


def delete(app: Application, *ids: int) -> None:
    """Delete them."""
    with app.session() as session:
        for id_ in ids:
            session.delete(session.get_one(Movie, id_))
        session.commit()


def change(app: Application, id_: int, title: str) -> None:
    """Give one another title."""
    with app.session() as session:
        session.get_one(Movie, id_).title = title
        session.commit()


def titles(app: Application) -> dict[int, Any]:
    """The titles of all that a search finds, by id."""
    return {int(id_): one["title"] for id_, one in app.documents(Movie).items()}
