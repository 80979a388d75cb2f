"""Statements that are texts: what they change is seen, which rows is not.

Their tables are told by the words in front of the names. Such a statement has the
models that it may concern synchronised again, with one warning; and a text may end
transactions and savepoints of which SQLAlchemy hears nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from nefertari_engine_base.primary.sqla.capture.announcing import Statement
from nefertari_engine_base.primary.sqla.capture.following import Following
from nefertari_engine_base.primary.sqla.capture.plans import Plan
from nefertari_engine_base.primary.sqla.capture.transactions import (
    Transaction,
    known_transaction,
    transaction_of,
)
from nefertari_engine_base.values import Action

_NOISE = r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*"
_FIRST = re.compile(
    _NOISE + r"(insert|update|delete|replace|merge|truncate|copy|with|commit|end|abort|"
    r"rollback)\b",
    re.IGNORECASE | re.DOTALL,
)
_WORD = r'(?:"(?:[^"]|"")+"|\[[^\]]+\]|`[^`]+`|[\w$]+)'
_NAME = rf"({_WORD}(?:\s*\.\s*{_WORD})*)"
_TABLES = re.compile(
    r"\b(?:insert\s+(?:or\s+\w+\s+)?into|replace\s+into|update(?:\s+or\s+\w+)?|"
    r"delete\s+from|merge\s+into|truncate(?:\s+table)?|copy)\s+(?:only\s+)?"
    + _NAME
    + r"(?:\s*,\s*"
    + _NAME
    + ")*",
    re.IGNORECASE,
)
_PART = re.compile(r'"((?:[^"]|"")+)"|\[([^\]]+)\]|`([^`]+)`|([\w$]+)')
_ENDS = ("commit", "end")
_UNDOES = ("rollback", "abort")


def execute(
    followings: Sequence[Following], call: Callable[[], Any], text: str, context: Any
) -> Any:
    """Execute a text."""
    if context is None:
        return call()
    connection = context.root_connection
    known = known_transaction(connection)
    word = _first_word(text)
    if known is not None and word in _UNDOES:
        known.forget_held()
    elif known is not None:
        known.settle()
    if word is None:
        return call()
    if word in _ENDS or word in _UNDOES:
        return _end(call, word, known)
    found = [(one, _documents(one, text)) for one in followings]
    chosen = [(one, documents) for one, documents in found if documents]
    if not chosen:
        return call()
    from nefertari_engine_base.primary.sqla.capture.drivers import own_transaction

    transaction = transaction_of(connection)
    with own_transaction(connection, transaction):
        for following, documents in chosen:
            plan = Plan(None, _ACTIONS.get(word, Action.UPDATED), documents, documents)
            statement = Statement(following, plan, text, transaction)
            statement.announce(connection)
            statement.resync(connection, documents, "it is a text")
        return call()


_ACTIONS = {"insert": Action.CREATED, "copy": Action.CREATED, "delete": Action.DELETED}


def _first_word(text: str) -> str | None:
    match = _FIRST.match(text)
    return None if match is None else match[1].lower()


def _end(call: Callable[[], Any], word: str, known: Transaction | None) -> Any:
    if known is None:
        return call()
    if known.doomed is not None and word in _ENDS:
        raise known.doomed
    result = call()
    for part in known.parts.values():
        # Whatever this has ended: debts are written again.
        part.debts.clear()
    return result


def _documents(following: Following, text: str) -> frozenset[str]:
    """Names of the models whose documents a text may change."""
    documents: set[str] = set()
    for match in _TABLES.finditer(text):
        for name in match.groups():
            for table in following.named(_last(name)) if name else ():
                documents |= table.documents
    return frozenset(documents)


def _last(name: str) -> str:
    """The table's name, without that of a schema and without quotes."""
    last: str = [next(filter(None, parts)) for parts in _PART.findall(name)][-1]
    return last.replace('""', '"')
