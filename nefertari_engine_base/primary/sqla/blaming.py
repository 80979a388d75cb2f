"""Which errors of a database are those of a row, and which are the database's own.

A row that cannot be read is counted against its document; a database that does not
answer, or lacks a table, is nobody's fault, and is asked again later.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, StatementError

from nefertari_engine_base.refusals import blames_document

#: Classes of PostgreSQL's codes that speak of what is in a row, or in a key: data
#: exceptions, cardinality, limits of the program (too deep, too long), routines that
#: raise, and what should not be, such as a row that cannot be read from the disk.
#: https://www.postgresql.org/docs/current/errcodes-appendix.html
_CLASSES = frozenset({"21", "22", "38", "39", "54", "P0", "XX"})
#: Another: no memory for a value.
_CODES = frozenset({"53200"})

#: Names of SQLite's. https://www.sqlite.org/rescode.html
_NAMES = frozenset({"SQLITE_MISMATCH", "SQLITE_RANGE", "SQLITE_TOOBIG"})
#: How those begin that have no name, or one for everything.
_SAID = ("Could not decode", "malformed JSON", "bad JSON", "integer overflow")


def blames_row(dialect: Dialect, error: Exception) -> bool:
    """Whether an error may be one of a row, or of its document."""
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or not isinstance(error.orig, Exception):
            return False
        return blames_row(dialect, error.orig)
    driver: Any = dialect.loaded_dbapi
    if isinstance(error, driver.Error):
        return _is_of_data(driver, error)
    if isinstance(error, SQLAlchemyError):
        # A parameter that has no form in the database, such as half a surrogate pair.
        return isinstance(error, StatementError)
    return blames_document(error)


def _is_of_data(driver: Any, error: Any) -> bool:
    if isinstance(error, driver.DataError):
        return True
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", "")
        return name in _NAMES or str(error).startswith(_SAID)
    code = str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", "") or "")
    return code[:2] in _CLASSES or code in _CODES
