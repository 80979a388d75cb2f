"""The newsroom answers as it does on real nefertari-sqla, but for what is listed here.

The same requests are sent to both, and status, headers and JSON are compared. It needs
an environment of packages from ten years ago, so it runs with ``RAMSES_TESTS=all``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.compat.test_ramses import RAML, ROOT, settings  # noqa: F401
from tools import ramses

pytestmark = pytest.mark.skipif(
    os.environ.get("RAMSES_TESTS") != "all", reason="RAMSES_TESTS=all runs it"
)

_DUPLICATE = "a duplicate is a conflict on SQLite as on any database"
_MESSAGE = "the message names the model, and not the driver's class"
_SET = "the value is refused when it is set, so that nefertari puts it in words"
_NUMBER = "the message names the parameter"
_ROLLED_BACK = "there, what a failed request had written stays in the index"
_ORDER = "keys of related objects are in order"

#: Part of the request -> why the answer differs, and in which of its members.
DIFFERENCES = {
    'POST /users {"username": "Rick"': (_DUPLICATE, {"status", "json"}),
    'POST /users {"username": "x"}': (_MESSAGE, {"json"}),
    'PATCH /users/rick {"status": "nonsense"}': (_SET, {"json"}),
    'POST /users/rick/groups {"nonsense": ""}': (_SET, {"json"}),
    'POST /articles {"title": "t"}': (_MESSAGE, {"json"}),
    '"kind": "poem"}': (_SET, {"json"}),
    "GET /articles?_limit=-1": (_NUMBER, {"json"}),
    "GET /articles?_start=1&_page=1": (_NUMBER, {"json"}),
    "GET /users/rick null": (_ROLLED_BACK, {"json"}),
    "GET /users/system": (_ORDER, {"json"}),
    'PUT /articles/2 {"title": "new"}': (_MESSAGE, {"json"}),
}


def answers(python: Path, settings: dict[str, str]) -> list[dict[str, Any]]:  # noqa: F811
    result = subprocess.run(
        [python, "-W", "ignore", "tests/ramses/scenario.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NEWSROOM": json.dumps(settings)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return [plain(answer) for answer in json.loads(result.stdout)]


def plain(value: Any, name: str = "") -> Any:
    """A value without what is different each time: times, scores, cookies, salts."""
    if isinstance(value, dict):
        left_out = ("timestamp", "took", "_score", "request_url", "headers")
        return {k: plain(v, k) for k, v in value.items() if k not in left_out}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and name == "password":
        return value[:4]
    if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\dT", value):
        return "a time"
    return value


def test_answers_are_those_of_nefertari_sqla_but_for_what_is_listed(
    settings,  # noqa: F811
    tmp_path,
):
    new = {
        **settings,
        "sqlalchemy.url": f"sqlite:///{tmp_path / 'new.sqlite'}",
        "nefertari.sync.visibility": "visible",
    }
    old = {
        **{k: v for k, v in settings.items() if k != "pyramid.includes"},
        "sqlalchemy.url": f"sqlite:///{tmp_path / 'old.sqlite'}",
        "nefertari.engine": "nefertari_sqla",
        "elasticsearch.enable_aggregations": "false",
    }
    expected = answers(ramses.old_python(), old)
    found = answers(ramses.python(), new)
    different: dict[str, Any] = {}
    unused = set(DIFFERENCES)
    for there, here in zip(expected, found, strict=True):
        members = {name for name in there if there[name] != here[name]}
        known = {part for part in DIFFERENCES if part in there["request"]}
        allowed = {name for part in known for name in DIFFERENCES[part][1]}
        if members:
            unused -= known
        if members - allowed:
            different[there["request"]] = {
                name: (there[name], here[name]) for name in sorted(members)
            }
    assert different == {}
    assert unused == set(), "these are the same by now"
