"""Documents as JSON text: the same bytes whichever primary writes them."""

from __future__ import annotations

import json
from datetime import date, time
from uuid import UUID

import orjson

from nefertari_engine_base.exceptions import ConversionError


def write_json(model: str, document: object) -> bytes:
    """The document as JSON text, UTF-8, without spaces.

    NaN and the infinities inside a JSON column, which JSON has not, become null.

    :raises ConversionError: if it holds something that JSON cannot.
    """
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        # Integers of more than 64 bits are JSON, but orjson does not write them.
        return _write_slowly(model, document)


def _write_slowly(model: str, document: object) -> bytes:
    try:
        text = json.dumps(
            document,
            default=_form,
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        )
    except ConversionError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise ConversionError(
            f"A document of {model} cannot be written as JSON: {error}"
        ) from error
    check_readable(model, text)
    return text.encode()


#: Numbers of so many digits, or of such an exponent, may be more than a double holds.
_TOO_LARGE = b"0" * 300, b"0e000", b"0e+000"
#: All digits are one character, and both cases of an exponent are.
_SHAPES = bytes(
    ord("0") if chr(code).isdigit() else ord("e") if chr(code) in "eE" else code
    for code in range(128)
).ljust(256, b" ")


def may_be_unreadable(text: bytes) -> bool:
    """Whether JSON that a database has written is to be checked.

    A regular expression takes ten times as long for it.
    """
    shape = text.translate(_SHAPES)
    return any(large in shape for large in _TOO_LARGE)


def check_readable(model: str, text: str | bytes) -> None:
    """See that JSON can be read back: a search server keeps numbers that no reader of
    its answers can hold, and a page with one such document could not be read at all.

    :raises ConversionError: if it cannot.
    """
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConversionError(
            f"A document of {model} holds JSON that could not be read back: "
            f"{error.msg}. Numbers have to be below 1.8e308, and nested less than a "
            f"thousand levels deep: keep others as texts, or leave the field out with "
            f"@secondary(exclude=...)."
        ) from error


def _form(value: object) -> str:
    if isinstance(value, ConversionError):
        # Stands where a value should be, and does not concern other documents.
        raise value
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
