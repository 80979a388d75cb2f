"""The newsroom answers as it does on real nefertari-sqla, but for what is listed.

The same requests are sent to both, and status, headers and JSON are compared. What the
oracle answered is on record in ``oracle/answers``, since it needs packages from ten
years ago. ``RAMSES_TESTS=all`` asks it again, and ``RAMSES_TESTS=record`` writes down
what it answers. See ``oracle/differences.py`` for what is meant to be different.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from elasticsearch import Elasticsearch

from tests.compat.newsroom import ROOT, token_raml
from tests.compat.oracle.differences import DIFFERENCES, unintended
from tests.compat.oracle.scenarios import SCENARIOS
from tests.conftest import empty_database
from tools import ramses

_RECORDS = Path(__file__).parent / "oracle" / "answers"
_WANTED = os.environ.get("RAMSES_TESTS")

#: What is compared with the record when not everything is.
_SHORT = [("tokens", "sqlite"), ("open", "sqlite")]

#: The same, of what ``pserve`` serves.
_SERVED = [("tickets", "postgresql")]

_ALL = [(name, kind) for name in SCENARIOS for kind in ("sqlite", "postgresql")]


@pytest.fixture
def asked(request, settings, tmp_path, elasticsearch_url):
    """A scenario, a kind of database, and the settings that it is played with."""
    scenario, kind = request.param
    if scenario == "open":
        settings["auth"] = "false"
    if scenario == "tokens":
        settings["ramses.raml_schema"] = str(token_raml(tmp_path))
    yield scenario, kind, settings
    with Elasticsearch(elasticsearch_url) as client:
        found = client.indices.get(index=f"{settings['elasticsearch.index_name']}-*")
        if found:
            client.indices.delete(index=",".join(found))


@pytest.fixture
def database(asked, server_of, tmp_path_factory) -> Iterator[str]:
    """URL of an empty database of that kind."""
    with empty_database(asked[1], server_of, tmp_path_factory) as url:
        yield url


def played(
    python: Path, scenario: str, chosen: dict[str, str], *options: str
) -> dict[str, Any]:
    """The answers, and the versions that gave them."""
    result = subprocess.run(
        [python, "-W", "ignore", "-m", "tests.compat.oracle.play", scenario, *options],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NEWSROOM": json.dumps(chosen)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr[-5000:]
    answers: dict[str, Any] = json.loads(result.stdout)
    return answers


def record_of(scenario: str, kind: str) -> Path:
    return _RECORDS / f"{scenario}-{kind}.json"


def as_lines(record: dict[str, Any]) -> str:
    """A record with one answer in a line, so that a change of one is one line."""
    answers = ",\n".join(json.dumps(each) for each in record["answers"])
    versions = json.dumps(record["versions"])
    return f'{{"versions": {versions},\n"answers": [\n{answers}\n]}}\n'


@pytest.mark.skipif(_WANTED is None, reason="RAMSES_TESTS=all asks the oracle")
@pytest.mark.parametrize("asked", _ALL, indirect=True, ids=lambda pair: "-".join(pair))
def test_the_oracle_answers_what_is_on_record(asked, database):
    scenario, kind, chosen = asked
    path = record_of(scenario, kind)
    url = sa.make_url(database)
    if kind == "postgresql":
        url = url.set(drivername="postgresql+psycopg2")
    old = {
        **{k: v for k, v in chosen.items() if k != "pyramid.includes"},
        "sqlalchemy.url": url.render_as_string(hide_password=False),
        "nefertari.engine": "nefertari_sqla",
    }
    record = played(ramses.old_python(), scenario, old)
    if _WANTED == "record":
        path.write_text(as_lines(record))
    written = json.loads(path.read_text())
    changed = [
        (then, now)
        for then, now in zip(written["answers"], record["answers"], strict=True)
        if then != now
    ]
    assert changed == [], (
        f"{path.name} is out of date: RAMSES_TESTS=record writes it anew. It is of "
        f"{written['versions']}, these are of {record['versions']}."
    )


@pytest.mark.parametrize(
    "asked",
    _SHORT if _WANTED is None else _ALL,
    indirect=True,
    ids=lambda pair: "-".join(pair),
)
def test_answers_are_those_on_record_but_for_what_is_listed(asked, database):
    compare(*asked, database)


@pytest.mark.parametrize(
    "asked",
    _SERVED if _WANTED is None else _ALL,
    indirect=True,
    ids=lambda pair: "-".join(pair),
)
def test_answers_of_a_server_are_those_on_record_but_for_what_is_listed(
    asked, database
):
    compare(*asked, database, "--served")


def compare(
    scenario: str,
    kind: str,
    chosen: dict[str, str],
    database: str,
    *options: str,
) -> None:
    record = json.loads(record_of(scenario, kind).read_text())
    new = {**chosen, "sqlalchemy.url": database}
    found = played(ramses.python(), scenario, new, *options)["answers"]
    wrong, same = unintended(record["answers"], found, scenario, kind)
    assert wrong == {}
    assert same == set(), "these are the same by now"


def _rows(text: str) -> list[str]:
    """First cells of the table of differences, each in one line."""
    section = text.partition("What differs from nefertari-sqla")[2]
    table = section.partition(":widths: 40 60\n\n")[2].partition("\n\n")[0]
    cells: Sequence[str] = re.findall(r"   \* - (.*?)\n     - ", table, re.DOTALL)
    return [" ".join(cell.split()) for cell in cells if cell != "Here"]


def test_the_documentation_has_every_difference_and_no_other():
    page = (ROOT / "docs" / "howto" / "ramses.rst").read_text()
    assert sorted(_rows(page)) == sorted({each.here for each in DIFFERENCES})
