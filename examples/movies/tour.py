"""A short tour on the terminal: what happens to the index when films change.

Every change is a plain ``Session.commit()``; nobody tells the index. A step shows how
long it took from the beginning of the commit until a search saw the change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from examples.movies.load import database
from examples.movies.models import Director, Movie
from nefertari_engine_base import Engines

#: Seconds that a change may take to be found; far more than it needs.
PATIENCE = 20.0

OLD_TITLE = "The Quokka of Zanzibar"
NEW_TITLE = "A Numbat in Ljubljana"
OLD_NAME = "Wilhelmina Quillfeather"
NEW_NAME = "Philippa Marzipan"

Check = Callable[[], bool]


class Tour:
    """The steps, in their order.

    :attr failed: how many did not hold.
    """

    def __init__(self, engines: Engines, console: Console) -> None:
        self.console = console
        self.failed = 0
        self._engines = engines
        self._database = database(engines)

    def run(self) -> bool:
        """Take every step, and leave nothing behind. Whether all of them held."""
        self._remove()
        try:
            for step in (
                self._save,
                self._rename,
                self._rename_director,
                self._list_of_director,
                self._roll_back,
                self._delete,
            ):
                step()
        finally:
            self._remove()
        return not self.failed

    # --- the steps ---------------------------------------------------------

    def _save(self) -> None:
        begun = time.perf_counter()
        with self._session() as session:
            director = Director(name=OLD_NAME)
            session.add(Movie(title=OLD_TITLE, year=1997, director=director))
            session.commit()
        self._step(
            f"saved [b]{OLD_TITLE}[/b], found by a word of it",
            begun,
            lambda: titles("quokka") == [OLD_TITLE],
        )

    def _rename(self) -> None:
        begun = time.perf_counter()
        with self._session() as session:
            _film(session).title = NEW_TITLE
            session.commit()
        self._step(
            f"renamed it [b]{NEW_TITLE}[/b], found by a word of it",
            begun,
            lambda: titles("numbat") == [NEW_TITLE],
        )
        self._step(
            "not found by the old one any more", None, lambda: not titles("quokka")
        )

    def _rename_director(self) -> None:
        begun = time.perf_counter()
        with self._session() as session:
            _director(session).name = NEW_NAME
            session.commit()
        self._step(
            "renamed its director, and the document of the film follows",
            begun,
            lambda: titles("marzipan") == [NEW_TITLE] and not titles("quillfeather"),
        )

    def _list_of_director(self) -> None:
        begun = time.perf_counter()
        with self._session() as session:
            director = _director(session)
            director.films.append(Movie(title=OLD_TITLE, year=1998))
            session.commit()
        self._step(
            "added a film, and the document of the director lists both",
            begun,
            lambda: _films_of_director() == [OLD_TITLE, NEW_TITLE],
        )

    def _roll_back(self) -> None:
        with self._session() as session:
            session.add(Movie(title="The Axolotl That Never Was"))
            session.flush()
            session.rollback()
        self._step(
            "a film that was rolled back is nowhere, and nothing waits",
            None,
            lambda: not titles("axolotl") and not self._waiting(),
        )

    def _delete(self) -> None:
        begun = time.perf_counter()
        with self._session() as session:
            key = _film(session).id
            director = _director(session)
            for film in director.films:
                session.delete(film)
            session.delete(director)
            session.commit()
        self._step(
            "deleted, gone from every search",
            begun,
            lambda: not titles("numbat") and not titles("marzipan"),
        )
        self._step(
            "and by its key",
            None,
            lambda: Movie.secondary.get_item(id=key, _raise_on_empty=False) is None,
        )

    def _waiting(self) -> int:
        return sum(outbox.waiting() for outbox in self._engines.outboxes())

    # --- how a step is taken -----------------------------------------------

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with Session(self._database) as session:
            yield session

    def _step(self, text: str, begun: float | None, holds: Check) -> None:
        """Wait until something holds.

        :param begun: when the commit began, if the time is of interest.
        """
        held = _wait_for(holds)
        took = ""
        if begun is not None:
            took = f"{(time.perf_counter() - begun) * 1000:,.0f} ms"
        mark = "[green]✓[/]" if held else "[red]✗[/]"
        self.failed += not held
        self.console.print(f"  {mark} [dim]{took:>8}[/]  {text}")

    def _remove(self) -> None:
        """Remove what a tour, perhaps one that was interrupted, has left behind."""
        with self._session() as session:
            for film in session.scalars(
                select(Movie).where(Movie.title.in_((OLD_TITLE, NEW_TITLE)))
            ):
                session.delete(film)
            session.flush()
            for director in session.scalars(
                select(Director).where(Director.name.in_((OLD_NAME, NEW_NAME)))
            ):
                session.delete(director)
            session.commit()


def titles(text: str) -> list[str]:
    """Titles of the films that a search for a text finds, as everybody sees them."""
    page = Movie.secondary.get_collection(q=text, _sort="id", _refresh_index=True)
    return [film.title for film in page]


def _films_of_director() -> list[str]:
    found = Director.secondary.get_collection(name=NEW_NAME, _refresh_index=True)
    return sorted(
        (film.title for director in found for film in director.films), reverse=True
    )


def _film(session: Session) -> Movie:
    known = (OLD_TITLE, NEW_TITLE)
    statement = select(Movie).where(Movie.title.in_(known)).order_by(Movie.id)
    return session.scalars(statement.limit(1)).one()


def _director(session: Session) -> Director:
    return session.scalars(
        select(Director).where(Director.name.in_((OLD_NAME, NEW_NAME)))
    ).one()


def _wait_for(holds: Check) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
