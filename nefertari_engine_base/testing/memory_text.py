"""Query strings of the in-memory engine: the simple part of Lucene's syntax.

Words, ``"phrases"``, ``prefix*``, ``*``, ``field:word``, ``NOT``, and either ``AND`` or
``OR`` between them; ``OR`` is meant where nothing stands. A search server knows more,
which is an error here and not a wrong answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import InvalidParameter, QueryError
from nefertari_engine_base.schema import ModelSchema
from nefertari_engine_base.testing.memory_search import (
    Source,
    locate,
    stored_values,
)

_TOKEN = re.compile(r'(?:([\w.]+):)?("[^"]*"|[^\s"]+)')
_WORD = re.compile(r"\w+")
#: What begins the parts of the syntax that are not understood here.
_BEYOND = re.compile(r"[()\[\]{}~^/\\+!?<>=]|&&|\|\|")
_NOT_SEARCHED = frozenset({Kind.BINARY, Kind.JSON, Kind.ACL})
_ANALYSED = frozenset({Kind.STRING, Kind.TEXT})


@dataclass(frozen=True, slots=True)
class Clause:
    """One word, phrase or prefix.

    :attr field: the field that it was written with, or ``None``.
    """

    text: str
    field: str | None
    negated: bool


class TextQuery:
    """A query string, ready to be asked of any document.

    :param fields: names to search with their weights, as :func:`searched_fields` has
        them.
    :raises QueryError: for what is no query string, or none that is understood here.
    """

    def __init__(
        self, schema: ModelSchema, text: str, fields: Mapping[str, float]
    ) -> None:
        self._schema = schema
        self._fields = fields
        self._clauses, self._all = _parse(text)

    def score(self, source: Source) -> float | None:
        """How well a document matches; ``None`` if it does not."""
        scores = []
        for clause in self._clauses:
            score = self._score(clause, source)
            if clause.negated and score:
                return None
            if not clause.negated:
                scores.append(score)
        if not scores:
            return 1.0
        matching = all(scores) if self._all else any(scores)
        return sum(scores) if matching else None

    def _score(self, clause: Clause, source: Source) -> float:
        if clause.text == "*" and clause.field in {None, "*"}:
            return 1.0
        fields = self._fields if clause.field is None else {clause.field: 1.0}
        best = 0.0
        for path, weight in fields.items():
            if best < weight and self._found(clause.text, path, source):
                best = weight
        return best

    def _found(self, text: str, path: str, source: Source) -> bool:
        try:
            steps, _, field = locate(self._schema, path)
        except InvalidParameter:
            # As in an index: no document has a field that is not there.
            return False
        embedded = self._schema.find(path)[0]
        if field.kind is Kind.ACL or any(one.is_guarded for one in embedded):
            # No words reach what has an access control list of its own.
            return False
        forms = [str(form) for form in stored_values(source, steps, field)]
        if text == "*":
            return bool(forms)
        if field.kind in _ANALYSED and not (field.primary_key or field.reference):
            return any(_matches_words(text, form) for form in forms)
        if text.endswith("*"):
            return any(form.startswith(text[:-1]) for form in forms)
        return any(_same(text.strip('"'), form) for form in forms)


def searched_fields(schema: ModelSchema, names: Sequence[str]) -> dict[str, float]:
    """The fields that a text searches, with their weights, the first named most.

    :raises InvalidParameter: if a name is not there.
    """
    for name in names:
        locate(schema, name)
    if names:
        return {name: float(len(names) - i) for i, name in enumerate(names)}
    return {
        ".".join((*(relation.name for relation in relations), name)): 1.0
        for relations, embedded in schema.walk()
        for name, field in embedded.fields.items()
        if field.kind not in _NOT_SEARCHED
    }


def _parse(text: str) -> tuple[list[Clause], bool]:
    if _BEYOND.search(text) or text.count('"') % 2 or text.rstrip().endswith(":"):
        raise QueryError(f"The in-memory engine cannot run this query: {text}")
    clauses: list[Clause] = []
    operators: set[str] = set()
    negated = False
    for field, value in _TOKEN.findall(text):
        if value in {"AND", "OR"} and not field:
            operators.add(value)
        elif value == "NOT" and not field:
            negated = True
        else:
            bare = value[1:] if value.startswith("-") and not field else value
            clauses.append(Clause(bare, field or None, negated or bare != value))
            negated = False
    if len(operators) > 1:
        raise QueryError(
            f"The in-memory engine does not mix AND with OR in one query: {text}"
        )
    return clauses, "AND" in operators


def _matches_words(text: str, value: str) -> bool:
    have = _WORD.findall(value.lower())
    if text.endswith("*"):
        return any(word.startswith(text[:-1].lower()) for word in have)
    wanted = _WORD.findall(text.lower())
    if text.startswith('"'):
        span = len(wanted)
        return any(have[i : i + span] == wanted for i in range(len(have) - span + 1))
    return any(word in have for word in wanted)


def _same(text: str, form: str) -> bool:
    try:
        return form == text or float(form) == float(text)
    except ValueError:
        return form.lower() == text if form in {"True", "False"} else False
