"""What people type into the search box, as a query that is always valid."""

from __future__ import annotations

import re

_TERM = re.compile(r'(-?)"([^"]+)"|(-?)(\S+)')


def terms(text: str) -> list[tuple[bool, str, bool]]:
    """The words and phrases of a text: (unwanted, words, is a phrase).

    People write ``"blade runner"`` for a phrase and ``-blade`` for what they do not
    want; everything else is a word.
    """
    found = []
    for minus, phrase, word_minus, word in _TERM.findall(text):
        words = phrase or word
        if any(character.isalnum() for character in words):
            found.append((bool(minus or word_minus), words, bool(phrase)))
    return found


def query_string(text: str) -> str:
    """What people type as a Lucene query string that is always valid.

    All words must be there; the last one may be unfinished.
    """
    found = terms(text)
    clauses = []
    for number, (unwanted, words, phrase) in enumerate(found):
        clause = _clause(words, phrase, unfinished=number == len(found) - 1)
        clauses.append(f"NOT {clause}" if unwanted else clause)
    if not clauses:
        return '""'
    if all(unwanted for unwanted, _, _ in found):
        clauses.insert(0, "*:*")
    return " AND ".join(clauses)


def _clause(words: str, phrase: bool, unfinished: bool) -> str:
    if phrase or not words.isalnum():
        escaped = words.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    # Lower case, so that nobody's OR is an operator.
    word = words.lower()
    return f"({word} OR {word}*)" if unfinished else word
