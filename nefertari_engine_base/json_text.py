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
        return text.encode()
    except ConversionError:
        raise
    except (TypeError, ValueError, RecursionError) as error:
        raise ConversionError(
            f"A document of {model} cannot be written as JSON: {error}"
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
