"""What a process writes until it is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from chaos.sql.application import SQLApplication
from chaos.sql.models import Author, Book
from chaos.trials import keys_of


def _write_outside(app: SQLApplication, number: int) -> Iterator[None]:
    """Create, change and delete; yields after each commit, which is after each."""
    keys = keys_of(number)
    for key in keys:
        with app.session() as session:
            session.add(Book(id=key, title="new", author_id=number))
            session.commit()
        yield
        with app.session() as session:
            session.get_one(Book, key).title = "changed"
            session.commit()
        yield
        if key % 2:
            with app.session() as session:
                session.delete(session.get_one(Book, key - 1))
                session.commit()
            yield


def _write_inside(app: SQLApplication, number: int) -> Iterator[None]:
    """The same in transactions of several flushes; yields after each commit."""
    keys = keys_of(number)
    for first in keys[::4]:
        with app.session() as session, session.begin():
            books = [Book(id=first + n, title="new") for n in range(4)]
            session.add_all(books)
            session.flush()
            books[0].title, books[1].author_id = "changed", number
            session.flush()
            session.get_one(Author, number).name = f"Author of {first}"
            session.delete(books[2])
            if first != keys[0]:
                session.delete(session.get_one(Book, first - 1))
        yield


#: How a victim writes: commits each change by itself, or in explicit transactions.
WRITES: Mapping[str, Callable[[SQLApplication, int], Iterator[None]]] = {
    "outside": _write_outside,
    "inside": _write_inside,
}
