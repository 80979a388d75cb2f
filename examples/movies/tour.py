"""A short tour on the terminal: what happens to the index when films change.

Every change is an ordinary one of the database's own library; nobody tells the index. A
step shows how long it took from the beginning of the change until a search saw it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from typing import Any

from rich.console import Console

from examples.movies.database import Store, database_of
from nefertari_engine_base import Engines
from nefertari_engine_base.values import Capability

#: Seconds that a change may take to be found; far more than it needs.
PATIENCE = 20.0

OLD_TITLE = "The Quokka of Zanzibar"
NEW_TITLE = "A Numbat in Ljubljana"
OLD_NAME = "Wilhelmina Quillfeather"
NEW_NAME = "Philippa Marzipan"

Check = Callable[[], bool]


class _ChangedItsMind(Exception):
    pass


class Tour:
    """The steps, in their order.

    :attr failed: how many did not hold.
    """

    def __init__(self, engines: Engines, console: Console) -> None:
        self.console = console
        self.failed = 0
        self._engines = engines
        self._database = database_of(engines.registry)
        self._models = self._database.models

    def run(self) -> bool:
        """Take every step, and leave nothing behind. Whether all of them held."""
        primary = self._engines.primary_of(self._models.Movie)
        steps = [
            self._save,
            self._rename,
            self._rename_director,
            self._list_of_director,
            self._delete,
        ]
        if Capability.TRANSACTIONAL in primary.capabilities:
            steps.append(self._roll_back)
        self._remove()
        try:
            for step in steps:
                step()
        finally:
            self._remove()
        return not self.failed

    # --- the steps ---------------------------------------------------------

    def _save(self) -> None:
        models, begun = self._models, time.perf_counter()
        with self._database.begin() as store:
            director = models.Director(name=OLD_NAME)
            store.save(director)
            released = date(1997, 5, 1)
            store.save(
                models.Movie(title=OLD_TITLE, release_date=released, director=director)
            )
        self._step(
            f"saved [b]{OLD_TITLE}[/b], found by a word of it",
            begun,
            lambda: self._titles("quokka") == [OLD_TITLE],
        )

    def _rename(self) -> None:
        begun = time.perf_counter()
        with self._database.begin() as store:
            film = store.find(self._models.Movie, title=OLD_TITLE)
            film.title = NEW_TITLE
            store.save(film)
        self._step(
            f"renamed it [b]{NEW_TITLE}[/b], found by a word of it",
            begun,
            lambda: self._titles("numbat") == [NEW_TITLE],
        )
        self._step(
            "not found by the old one any more",
            None,
            lambda: not self._titles("quokka"),
        )

    def _rename_director(self) -> None:
        begun = time.perf_counter()
        with self._database.begin() as store:
            director = store.find(self._models.Director, name=OLD_NAME)
            director.name = NEW_NAME
            store.save(director)
        self._step(
            "renamed its director, and the document of the film follows",
            begun,
            lambda: (
                self._titles("marzipan") == [NEW_TITLE]
                and not self._titles("quillfeather")
            ),
        )

    def _list_of_director(self) -> None:
        begun = time.perf_counter()
        with self._database.begin() as store:
            director = store.find(self._models.Director, name=NEW_NAME)
            store.save(self._models.Movie(title=OLD_TITLE, director=director))
        self._step(
            "added a film, and the document of the director lists both",
            begun,
            lambda: self._films_of_director() == {OLD_TITLE, NEW_TITLE},
        )

    def _delete(self) -> None:
        movie, begun = self._models.Movie, time.perf_counter()
        with self._database.begin() as store:
            film = store.find(movie, title=NEW_TITLE)
            key = film.id
            store.delete(film)
            store.delete(store.find(movie, title=OLD_TITLE))
            store.delete(store.find(self._models.Director, name=NEW_NAME))
        self._step(
            "deleted, gone from every search",
            begun,
            lambda: not self._titles("numbat") and not self._titles("marzipan"),
        )
        self._step(
            "and by its key",
            None,
            lambda: movie.secondary.get_item(id=key, _raise_on_empty=False) is None,
        )

    def _roll_back(self) -> None:
        with suppress(_ChangedItsMind), self._database.begin() as store:
            store.save(self._models.Movie(title="The Axolotl That Never Was"))
            raise _ChangedItsMind
        self._step(
            "a film that was rolled back is nowhere, and nothing waits",
            None,
            lambda: not self._titles("axolotl") and not self._waiting(),
        )

    # --- what a step asks --------------------------------------------------

    def _titles(self, text: str) -> list[str]:
        """Titles of the films that a search for a text finds, as everybody sees
        them."""
        documents = self._models.Movie.secondary
        page = documents.get_collection(q=text, _sort="id", _refresh_index=True)
        return [film.title for film in page]

    def _films_of_director(self) -> set[str]:
        documents = self._models.Director.secondary
        found = documents.get_collection(name=NEW_NAME, _refresh_index=True)
        return {film.title for director in found for film in director.films}

    def _waiting(self) -> int:
        return sum(outbox.waiting() for outbox in self._engines.outboxes())

    # --- how a step is taken -----------------------------------------------

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
        movie, director = self._models.Movie, self._models.Director
        with self._database.begin() as store:
            for title in (OLD_TITLE, NEW_TITLE):
                _delete_if_there(store, movie, title=title)
            for name in (OLD_NAME, NEW_NAME):
                _delete_if_there(store, director, name=name)


def _delete_if_there(store: Store, model: Any, **values: Any) -> None:
    row = store.find(model, **values)
    if row is not None:
        store.delete(row)


def _wait_for(holds: Check) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True
