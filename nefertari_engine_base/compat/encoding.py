"""How values are written in nefertari's JSON."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any


class JSONEncoder(json.JSONEncoder):
    """The encoder of responses.

    * dates and date-times: ``2014-02-18T00:00:00Z``; one with a zone is told in UTC,
    * times: ``18:30:00``; intervals: whole seconds; decimals: numbers,
    * bytes: Base64,
    * documents: what their ``to_dict`` returns; anything else: its ``str``.
    """

    def default(self, value: Any) -> Any:
        """What JSON can hold of a value. See the class."""
        if isinstance(value, datetime | date):
            return _moment(value)
        if isinstance(value, time):
            return value.strftime("%H:%M:%S")
        if isinstance(value, timedelta):
            return int(value.total_seconds())
        if isinstance(value, Decimal):
            return float(value)
        if isinstance(value, bytes):
            return base64.b64encode(value).decode("ascii")
        if hasattr(value, "to_dict"):
            return value.to_dict()
        return str(value)


class ESJSONSerializer:
    """Has the place of nefertari's serializer of documents, which nothing asks here.

    The engine of the secondary writes its documents itself.
    """

    def dumps(self, value: Any) -> str:
        """The JSON of a value."""
        return value if isinstance(value, str) else json.dumps(value, cls=JSONEncoder)


def _moment(value: date) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
    # strftime drops the leading zeros of years before 1000.
    return f"{value.year:04}" + value.strftime("-%m-%dT%H:%M:%SZ")
