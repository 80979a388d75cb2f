"""Random transactions in the sessions of an application.

What was committed is told by the table ``chaos_changes``, which the same transactions
fill.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from chaos.sql.application import SQLApplication
from chaos.sql.changes import Chooser, choose, is_crowded
from chaos.sql.models import changes
from chaos.writer import Writer

#: The part of the transactions that are rolled back, and of the changes that are made
#: inside a savepoint.
ROLLED_BACK, IN_SAVEPOINTS = 0.15, 0.25


class SQLWriter(Writer):
    """Makes random transactions in the sessions of an application."""

    clashes = (
        sa.exc.IntegrityError,
        sa.exc.OperationalError,
        StaleDataError,
        ObjectDeletedError,
    )
    outages = (sa.exc.OperationalError,)

    def __init__(self, app: SQLApplication, number: int, seed: str) -> None:
        super().__init__(number, seed)
        self._app = app

    def is_crowded(self) -> bool:
        """See :meth:`Writer.is_crowded`."""
        with self._app.session() as session:
            return is_crowded(session)

    def transact(self) -> None:
        """See :meth:`Writer.transact`."""
        with self._app.session() as session:
            self._transact(session)

    def _transact(self, session: Session) -> None:
        # It takes a deadlock for what it is long before the server does.
        session.execute(sa.text("SET LOCAL lock_timeout = '200ms'"))
        locking = self.random.random() < 0.5
        chooser = Chooser(session, self.random, locking=locking)
        for _ in range(self.random.randint(1, 4)):
            if self.random.random() < IN_SAVEPOINTS:
                self._use_a_savepoint(session, chooser)
            else:
                self._change(session, chooser)
        if self.random.random() < ROLLED_BACK:
            session.rollback()
        else:
            session.commit()

    def _use_a_savepoint(self, session: Session, chooser: Chooser) -> None:
        before = self.random.getstate()
        inner = session.begin_nested()
        self._change(session, chooser)
        session.flush()
        if self.random.random() < 0.5:
            inner.commit()
        else:
            inner.rollback()
            if self.random.random() < 0.5:
                # The same again, as applications do that try twice.
                self.random.setstate(before)
                self._change(session, chooser)

    def _change(self, session: Session, chooser: Chooser) -> None:
        """Make one change, and count it in the same transaction and savepoint."""
        unheard = self._app.has_triggers
        change: Any = choose(self.random, crowded=self.crowded, unheard=unheard)
        if change(chooser):
            session.execute(
                changes.insert(),
                {"writer": self.number, "kind": change.__name__},
            )
