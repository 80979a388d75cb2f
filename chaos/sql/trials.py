"""The faults of the table: what one trial of each does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from chaos.sql.application import SQLApplication
from chaos.sql.models import Author, Book
from chaos.trials import BULK, Fault, Trial

_CLASHES = (
    sa.exc.OperationalError,
    sa.exc.IntegrityError,
    StaleDataError,
    ObjectDeletedError,
)


def _session(trial: Trial) -> Session:
    return cast(SQLApplication, trial.stage.app).session()


def _prepare(trial: Trial, books: int) -> None:
    """Make the author with so many books, and have them indexed."""
    with _session(trial) as session:
        session.add(Author(id=trial.number, name="Author"))
        session.flush()
        session.add_all(
            Book(id=key, title="Book", author_id=trial.number)
            for key in trial.keys[:books]
        )
        session.commit()


def _create_update_delete(session: Session, trial: Trial) -> None:
    first, second, new = trial.keys[:3]
    session.add(Book(id=new, title="new", author_id=trial.number))
    session.flush()
    session.get_one(Book, first).title = "changed"
    session.delete(session.get_one(Book, second))
    session.commit()


def server_down(trial: Trial) -> None:
    """The search server is gone while a transaction is committed."""
    _prepare(trial, 2)
    with trial.stage.door.is_shut(), _session(trial) as session:
        _create_update_delete(session, trial)


def answer_lost(trial: Trial) -> None:
    """The search server does what it is asked for, and its answer is lost."""
    _prepare(trial, 2)
    with trial.stage.door.is_muted(), _session(trial) as session:
        _create_update_delete(session, trial)


def rollback_after_save(trial: Trial) -> None:
    """A new row is flushed and rolled back."""
    _prepare(trial, 1)
    with _session(trial) as session:
        session.add(Book(id=trial.keys[1], title="never", author_id=trial.number))
        session.flush()
        session.rollback()


def rollback_after_update(trial: Trial) -> None:
    """A change is flushed and rolled back."""
    _prepare(trial, 1)
    with _session(trial) as session:
        session.get_one(Book, trial.keys[0]).title = "never"
        session.get_one(Author, trial.number).name = "never"
        session.flush()
        session.rollback()


def rollback_after_delete(trial: Trial) -> None:
    """A delete, with what it cascades to, is flushed and rolled back."""
    _prepare(trial, 2)
    with _session(trial) as session:
        session.delete(session.get_one(Book, trial.keys[0]))
        session.flush()
        session.delete(session.get_one(Author, trial.number))
        session.flush()
        session.rollback()


def killed_outside(trial: Trial) -> None:
    """The process that commits each change by itself is killed at some moment."""
    _prepare(trial, 0)
    trial.kill_at_some_moment("outside")


def killed_inside(trial: Trial) -> None:
    """The process that writes in explicit transactions is killed at some moment."""
    _prepare(trial, 0)
    trial.kill_at_some_moment("inside")


def two_writers(trial: Trial) -> None:
    """Two sessions change one row at the same time, and deliver at the same time."""
    _prepare(trial, 1)
    meeting = threading.Barrier(2)
    choices = [
        trial.stage.random.choice([_rename, _move, _move_and_rename, _delete])
        for _ in range(2)
    ]

    def write(change: Callable[[Trial, Session, Book], None]) -> None:
        with _session(trial) as session:
            book = session.get_one(Book, trial.keys[0])
            meeting.wait()
            try:
                change(trial, session, book)
                session.commit()
            except _CLASHES:
                session.rollback()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, choices))


def _rename(trial: Trial, session: Session, book: Book) -> None:
    book.title = f"by {threading.get_ident()}"


def _move(trial: Trial, session: Session, book: Book) -> None:
    book.author_id = None


def _move_and_rename(trial: Trial, session: Session, book: Book) -> None:
    book.author = Author(id=trial.keys[-1], name="another")


def _delete(trial: Trial, session: Session, book: Book) -> None:
    session.delete(book)


def bulk_create(trial: Trial) -> None:
    """Many rows by one statement."""
    _prepare(trial, 0)
    rows = [
        {"id": key, "title": "bulk", "author_id": trial.number}
        for key in trial.keys[:BULK]
    ]
    with _session(trial) as session:
        session.execute(sa.insert(Book), rows)
        session.commit()


def bulk_update(trial: Trial) -> None:
    """Many rows by one statement that names none of them."""
    _prepare(trial, BULK)
    with _session(trial) as session:
        some = Book.id.in_(trial.keys[: BULK // 2])
        session.execute(sa.update(Book).where(some).values(title="bulk"))
        others = Book.id.in_(trial.keys[BULK // 2 :])
        session.execute(sa.update(Book).where(others).values(author_id=None))
        session.commit()


FAULTS: Mapping[str, Fault] = {
    "server down during a commit": server_down,
    "answer of the server lost": answer_lost,
    "rollback after a save": rollback_after_save,
    "rollback after an update": rollback_after_update,
    "rollback after a delete": rollback_after_delete,
    "kill -9 outside of transactions": killed_outside,
    "kill -9 inside a transaction": killed_inside,
    "two writers of one row": two_writers,
    "bulk create": bulk_create,
    "bulk update": bulk_update,
}

#: After these nothing may have changed; there is no drain that could mend anything.
WITHOUT_DRAIN: frozenset[Fault] = frozenset(
    {rollback_after_save, rollback_after_update, rollback_after_delete}
)
