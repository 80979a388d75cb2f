"""``python -m chaos.writer INI NUMBER SEED``: a process that changes rows.

It goes on until SIGTERM, or until it is killed. What it has committed is told by the
table ``chaos_changes``, which the same transactions fill.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pyramid.paster import setup_logging
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import ObjectDeletedError, StaleDataError

from chaos.application import Application, application
from chaos.changes import Chooser, choose, is_crowded
from chaos.models import changes

log = logging.getLogger(__name__)

#: What a database says of changes that got into each other's way, and when it is gone.
CLASHES = (
    sa.exc.IntegrityError,
    sa.exc.OperationalError,
    StaleDataError,
    ObjectDeletedError,
)

#: The longest pause, in seconds, after a lock that was not to be had or a lost
#: connection.
PAUSE = 0.1

#: The part of the transactions that are rolled back, and of the changes that are made
#: inside a savepoint.
ROLLED_BACK, IN_SAVEPOINTS = 0.15, 0.25

#: Transactions between two looks at how many rows there are.
_LOOK = 20


class Writer:
    """Makes random transactions in the sessions of an application."""

    def __init__(self, app: Application, number: int, seed: str) -> None:
        self._app = app
        self._number = number
        self._random = random.Random(seed)
        self._crowded = False
        self._stopping = False

    def stop(self) -> None:
        """Make the transaction that is under way the last one."""
        self._stopping = True

    def run(self) -> None:
        """Make transactions until :meth:`stop`."""
        transactions = 0
        while not self._stopping:
            try:
                with self._app.session() as session:
                    if transactions % _LOOK == 0:
                        self._crowded = is_crowded(session)
                    self._transact(session)
                transactions += 1
            except CLASHES as error:
                log.debug("clash: %s", error)
                if isinstance(error, sa.exc.OperationalError):
                    time.sleep(self._random.uniform(0, PAUSE))

    def _transact(self, session: Session) -> None:
        # It takes a deadlock for what it is long before the server does.
        session.execute(sa.text("SET LOCAL lock_timeout = '200ms'"))
        locking = self._random.random() < 0.5
        chooser = Chooser(session, self._random, locking=locking)
        for _ in range(self._random.randint(1, 4)):
            if self._random.random() < IN_SAVEPOINTS:
                self._use_a_savepoint(session, chooser)
            else:
                self._change(session, chooser)
        if self._random.random() < ROLLED_BACK:
            session.rollback()
        else:
            session.commit()

    def _use_a_savepoint(self, session: Session, chooser: Chooser) -> None:
        before = self._random.getstate()
        inner = session.begin_nested()
        self._change(session, chooser)
        session.flush()
        if self._random.random() < 0.5:
            inner.commit()
        else:
            inner.rollback()
            if self._random.random() < 0.5:
                # The same again, as applications do that try twice.
                self._random.setstate(before)
                self._change(session, chooser)

    def _change(self, session: Session, chooser: Chooser) -> None:
        """Make one change, and count it in the same transaction and savepoint."""
        unheard = self._app.has_triggers
        change: Any = choose(self._random, crowded=self._crowded, unheard=unheard)
        if change(chooser):
            session.execute(
                changes.insert(),
                {"writer": self._number, "kind": change.__name__},
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Write until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m chaos.writer", description=__doc__)
    parser.add_argument("ini", type=Path, help="of the application")
    parser.add_argument("number", type=int, help="what its changes are counted under")
    parser.add_argument("seed", help="of all random choices")
    options = parser.parse_args(arguments)
    setup_logging(str(options.ini))
    with application(options.ini) as app:
        writer = Writer(app, options.number, options.seed)
        signal.signal(signal.SIGTERM, lambda *_: writer.stop())
        writer.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
