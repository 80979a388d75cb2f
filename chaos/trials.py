"""The faults of the table: what one trial of each does.

Each trial has an author and books of its own: the author's key is the trial's number.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from chaos.application import Application
from chaos.door import Door
from chaos.models import Author, Book
from chaos.victim import Victim, keys_of

#: A writing process is killed after at most so many commits, and so many seconds: a few
#: of its transactions, with their deliveries.
MOST_COMMITS, LONGEST_WAIT = 8, 0.06

#: Rows of one bulk statement.
BULK = 20

#: How the database names the connections of processes that are killed.
VICTIM = "chaos-victim"

_CLASHES = (
    sa.exc.OperationalError,
    sa.exc.IntegrityError,
    StaleDataError,
    ObjectDeletedError,
)


@dataclass
class Stage:
    """What all trials use."""

    app: Application
    door: Door
    victim: Victim
    random: random.Random


@dataclass
class Trial:
    """One trial, with rows of its own.

    :attr number: of the trial, and of its author.
    """

    stage: Stage
    number: int

    @property
    def keys(self) -> Sequence[int]:
        """The keys that its books may have."""
        return keys_of(self.number)

    def session(self) -> Session:
        """A session of the application."""
        return self.stage.app.session()

    def prepare(self, books: int) -> None:
        """Make the author with so many books, and have them indexed."""
        with self.session() as session:
            session.add(Author(id=self.number, name="Author"))
            session.flush()
            session.add_all(
                Book(id=key, title="Book", author_id=self.number)
                for key in self.keys[:books]
            )
            session.commit()


Fault = Callable[[Trial], None]


def _create_update_delete(session: Session, trial: Trial) -> None:
    first, second, new = trial.keys[:3]
    session.add(Book(id=new, title="new", author_id=trial.number))
    session.flush()
    session.get_one(Book, first).title = "changed"
    session.delete(session.get_one(Book, second))
    session.commit()


def server_down(trial: Trial) -> None:
    """The search server is gone while a transaction is committed."""
    trial.prepare(2)
    with trial.stage.door.is_shut(), trial.session() as session:
        _create_update_delete(session, trial)


def answer_lost(trial: Trial) -> None:
    """The search server does what it is asked for, and its answer is lost."""
    trial.prepare(2)
    with trial.stage.door.is_muted(), trial.session() as session:
        _create_update_delete(session, trial)


def rollback_after_save(trial: Trial) -> None:
    """A new row is flushed and rolled back."""
    trial.prepare(1)
    with trial.session() as session:
        session.add(Book(id=trial.keys[1], title="never", author_id=trial.number))
        session.flush()
        session.rollback()


def rollback_after_update(trial: Trial) -> None:
    """A change is flushed and rolled back."""
    trial.prepare(1)
    with trial.session() as session:
        session.get_one(Book, trial.keys[0]).title = "never"
        session.get_one(Author, trial.number).name = "never"
        session.flush()
        session.rollback()


def rollback_after_delete(trial: Trial) -> None:
    """A delete, with what it cascades to, is flushed and rolled back."""
    trial.prepare(2)
    with trial.session() as session:
        session.delete(session.get_one(Book, trial.keys[0]))
        session.flush()
        session.delete(session.get_one(Author, trial.number))
        session.flush()
        session.rollback()


def killed_outside(trial: Trial) -> None:
    """The process that commits each change by itself is killed at some moment."""
    _kill(trial, inside=False)


def killed_inside(trial: Trial) -> None:
    """The process that writes in explicit transactions is killed at some moment."""
    _kill(trial, inside=True)


def _kill(trial: Trial, *, inside: bool) -> None:
    trial.prepare(0)
    stage = trial.stage
    commits = stage.random.randint(0, MOST_COMMITS)
    pid = stage.victim.start(trial.number, inside=inside, commits=commits)
    time.sleep(stage.random.uniform(0, LONGEST_WAIT))
    stage.victim.kill(pid)
    _await_its_end(stage.app)


def _await_its_end(app: Application) -> None:
    """Wait until the database has let go of what a killed process had locked."""
    alive = sa.text("SELECT count(*) FROM pg_stat_activity WHERE application_name = :n")
    with app.database.connect() as connection:
        while connection.scalar(alive, {"n": VICTIM}):
            connection.rollback()
            time.sleep(0.001)


def two_writers(trial: Trial) -> None:
    """Two sessions change one row at the same time, and deliver at the same time."""
    trial.prepare(1)
    meeting = threading.Barrier(2)
    choices = [
        trial.stage.random.choice([_rename, _move, _move_and_rename, _delete])
        for _ in range(2)
    ]

    def write(change: Callable[[Trial, Session, Book], None]) -> None:
        with trial.session() as session:
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
    trial.prepare(0)
    rows = [
        {"id": key, "title": "bulk", "author_id": trial.number}
        for key in trial.keys[:BULK]
    ]
    with trial.session() as session:
        session.execute(sa.insert(Book), rows)
        session.commit()


def bulk_update(trial: Trial) -> None:
    """Many rows by one statement that names none of them."""
    trial.prepare(BULK)
    with trial.session() as session:
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
WITHOUT_DRAIN = {rollback_after_save, rollback_after_update, rollback_after_delete}
