"""Whose statement it is that reaches the database: told by who called.

SQLAlchemy's assertions count and quote the statements of an engine. Ours are hidden
from them: those that name our tables, and those that our package executes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from sqlalchemy import event
from sqlalchemy.sql.elements import TextClause
from sqlalchemy.testing import assertsql

from tests.peers.sqlalchemy.records import PACKAGE

_OURS = f"/{PACKAGE}/"
_SQLALCHEMY = "/sqlalchemy/"
_SESSION = "/sqlalchemy/orm/session.py"
#: What looks at the database as ``setup_database`` does, while a test counts.
_SETTING_UP = str(Path(__file__).with_name("application.py"))
#: How the names of our tables begin.
PREFIX = "nefertari_"

_WRITTEN = re.compile(
    r"\b(?:insert\s+(?:or\s+\w+\s+)?into|replace\s+into|update|delete\s+from)\s+"
    r'([\w."]+)',
    re.IGNORECASE,
)
#: Words that follow an UPDATE which is none: ``ON CONFLICT DO UPDATE SET``.
_NO_TABLES = frozenset({"set", "of", "on"})


def is_ours(statement: str) -> bool:
    """Whether the statement that is being executed is our package's own."""
    if PREFIX in statement:
        return True
    callee = ""
    for frame in _frames(sys._getframe(1)):
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        if name == "invoke_statement":
            return False  # the application's, whoever asks for it to be executed
        if path == _SETTING_UP:
            return True
        if _OURS in path:
            # What is put in the place of a method of a session, and calls it, is not
            # meant: the statement is the application's.
            return name != callee
        # SQLAlchemy makes some of its functions of texts.
        if _SQLALCHEMY not in path and path != __file__ and path[0] != "<":
            return False
        callee = name
    return False


def is_write(statement: str) -> bool:
    """Whether a statement of the tests writes rows."""
    return PREFIX not in statement and _WRITTEN.search(statement) is not None


def tables_written_bare(statement: str, context: Any) -> Iterator[str]:
    """Names of the tables that a statement writes which no session has sent, or that is
    a text."""
    found = _WRITTEN.findall(statement)
    if not found or PREFIX in statement or _is_of_session(context):
        return
    for match in found:
        name = match.replace('"', "").rpartition(".")[2]
        if name.lower() not in _NO_TABLES:
            yield name


def _is_of_session(context: Any) -> bool:
    compiled = getattr(context, "compiled", None)
    if compiled is None or isinstance(compiled.statement, TextClause):
        return False
    for frame in _frames(sys._getframe(1)):
        path = frame.f_code.co_filename
        if path.endswith(_SESSION):
            return True
        if not (_SQLALCHEMY in path or _OURS in path or path == __file__):
            return False
    return False


def _frames(first: FrameType | None) -> Iterator[FrameType]:
    while first is not None:
        yield first
        first = first.f_back


class _Hiding:
    """What :mod:`sqlalchemy.testing.assertsql` knows as ``event``: its listeners do not
    hear of our statements.

    :param hidden: is called for each statement that is hidden.
    """

    def __init__(self, hidden: Callable[[], None]) -> None:
        self._hidden = hidden
        self._made: dict[Any, Any] = {}

    def listens_for(self, target: Any, name: str) -> Callable[[Any], Any]:
        """As :func:`sqlalchemy.event.listens_for`."""

        def decorate(fn: Any) -> Any:
            self._made[fn] = _WRAPPERS[name](fn, self._hidden)
            event.listen(target, name, self._made[fn])
            return fn

        return decorate

    def remove(self, target: Any, name: str, fn: Any) -> None:
        """As :func:`sqlalchemy.event.remove`."""
        event.remove(target, name, self._made.pop(fn))


def _before_execute(fn: Any, hidden: Callable[[], None]) -> Any:
    def before_execute(
        conn: Any, clauseelement: Any, multiparams: Any, params: Any, options: Any
    ) -> None:
        # The name is looked for where the statement has its text.
        if not is_ours(""):
            fn(conn, clauseelement, multiparams, params, options)

    return before_execute


def _after_cursor_execute(fn: Any, hidden: Callable[[], None]) -> Any:
    def after_cursor_execute(
        conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any
    ) -> None:
        if is_ours(statement):
            hidden()
        else:
            fn(conn, cursor, statement, parameters, context, many)

    return after_cursor_execute


_WRAPPERS: dict[str, Callable[..., Any]] = {
    "before_execute": _before_execute,
    "after_cursor_execute": _after_cursor_execute,
}


def hide_ours(hidden: Callable[[], None]) -> None:
    """SQLAlchemy's assertions do not see our statements from now on.

    :param hidden: is called for each that they do not see.
    """
    vars(assertsql)["event"] = _Hiding(hidden)
