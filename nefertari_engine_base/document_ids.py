"""Document ids: a primary key as one string, without loss.

The id of a key with one part is that part as it is, since clients, Ramses and
people expect ``str(pk)``. Parts of a composite key are joined by commas, with
commas and backslashes in them escaped by a backslash, so that no two keys share
an id whatever the values contain. Elasticsearch refuses an empty ``_id``; the
empty string is therefore written as a lone backslash.

Elasticsearch takes ids of up to 512 bytes:
https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/mapping-id-field
"""

from __future__ import annotations

from collections.abc import Sequence

_ESCAPE = "\\"
_SEPARATOR = ","


def join(parts: Sequence[object]) -> str:
    """The id of a key whose parts have these forms.

    :param parts: at least one; booleans become ``true`` and ``false``.
    """
    if len(parts) == 1:
        return _quote_single(_text(parts[0]))
    texts = map(_text, parts)
    return _SEPARATOR.join(
        text.replace(_ESCAPE, _ESCAPE * 2).replace(_SEPARATOR, _ESCAPE + _SEPARATOR)
        for text in texts
    )


def split(document_id: str, count: int) -> list[str]:
    """The parts that :func:`join` made the id from.

    :raises ValueError: if the id has not ``count`` parts.
    """
    if count == 1:
        return [_unquote_single(document_id)]
    parts, current, escaped = [], "", False
    for character in document_id:
        if escaped:
            current, escaped = current + character, False
        elif character == _ESCAPE:
            escaped = True
        elif character == _SEPARATOR:
            parts.append(current)
            current = ""
        else:
            current += character
    parts.append(current)
    if escaped or len(parts) != count:
        raise ValueError(f"{document_id!r} has not {count} parts")
    return parts


def _text(part: object) -> str:
    if isinstance(part, bool):
        return "true" if part else "false"
    return str(part)


def _quote_single(text: str) -> str:
    # The escape is prefixed to what could be read as escaped, and to nothing
    # else: quoting stays invertible and ordinary keys stay what they are.
    if not text or text.startswith(_ESCAPE):
        return _ESCAPE + text
    return text


def _unquote_single(text: str) -> str:
    if not text:
        raise ValueError("an id is never empty")
    return text[1:] if text.startswith(_ESCAPE) else text
