"""The sessions that an application gets from this engine, if it wants them.

In a request it is ``request.dbsession``, which joins the transaction of pyramid_tm
where that is included. Outside of requests each thread has one. An application with
sessions of its own needs none of this: changes are heard of in every session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import zope.sqlalchemy
from pyramid.request import Request
from pyramid.threadlocal import get_current_request
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from transaction.interfaces import NoTransaction

from nefertari_engine_base.forks import abandon, renew_after_fork


class Sessions:
    """Makes sessions, and finds the current one.

    :param engine: what the sessions are bound to.
    :param binds: what the rows of some classes are in instead.
    """

    def __init__(
        self, engine: Engine, binds: Mapping[type, Engine] | None = None
    ) -> None:
        self.factory = sessionmaker(engine, binds=dict(binds or {}))
        self._begin()
        renew_after_fork(self)

    def _begin(self) -> None:
        self._of_thread = scoped_session(self.factory)
        joining: Any = self._joining
        self._joined: scoped_session[Session] = scoped_session(joining)

    def renew(self) -> None:
        """See :class:`~nefertari_engine_base.forks.Renewable`."""
        abandon((self._of_thread, self._joined))
        self._begin()

    def of_request(self, request: Request) -> Session:
        """A session that lives as long as the request, and joins its transaction."""
        session = self.factory()
        manager = getattr(request, "tm", None)
        if manager is not None:
            zope.sqlalchemy.register(session, transaction_manager=manager)
        request.add_finished_callback(lambda _: session.close())
        return session

    def current(self) -> Session:
        """The session of the current request, else the one of this thread."""
        request = get_current_request()
        if request is None or not hasattr(request, "dbsession"):
            return self._of_thread()
        if not _has_transaction(request):
            # A shell or a script, whose request has not begun its transaction.
            return self._of_thread()
        session: Session = request.dbsession
        return session

    def joined(self) -> Session:
        """The session of the current request, else one of this thread that joins the
        thread's transaction: ``transaction.commit()`` commits it."""
        request = get_current_request()
        if getattr(request, "tm", None) is not None and _has_transaction(request):
            session: Session = request.dbsession
            return session
        current: Session = self._joined()
        return current

    def _joining(self) -> Session:
        session = self.factory()
        zope.sqlalchemy.register(session)
        return session

    def remove(self) -> None:
        """Close the sessions of this thread."""
        self._of_thread.remove()
        self._joined.remove()


def _has_transaction(request: Request) -> bool:
    manager = getattr(request, "tm", None)
    if manager is None:
        return True
    try:
        manager.get()
    except NoTransaction:
        return False
    return True
