"""Whatever is killed and frozen: the index equals the rows; and a fault is seen.

The long test prints its seed, which the environment variable ``NEFERTARI_TEST_SEED``
sets again.
"""

import os
import secrets
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from chaos import primaries
from chaos.comparing import Difference, compare_all, compare_some
from chaos.processes import EndedByItself, Process
from chaos.report import show
from chaos.run import Plan, Result, run
from chaos.servers import own_servers
from chaos.sql.models import Author, Book
from chaos.torments import fitting

SEED = os.environ.get("NEFERTARI_TEST_SEED") or secrets.token_hex(4)


@pytest.fixture(scope="module")
def servers():
    """Servers that may be killed."""
    if sys.platform != "linux":
        pytest.skip("servers are only started on Linux")
    with own_servers(*primaries.NAMES) as servers:
        yield servers


@pytest.mark.parametrize(
    ("primary", "capture", "changes"),
    [
        ("postgresql", "session", 300),
        ("postgresql", "triggers", 150),
        ("mongodb", "session", 150),
    ],
)
def test_nothing_is_lost_whatever_is_killed_and_frozen(
    servers, primary, capture, changes
):
    plan = Plan(
        seed=SEED,
        changes=changes,
        writers=2,
        workers=2,
        seconds=90,
        torments=fitting(primaries.primary_named(primary).short, capture),
        primary=primary,
        patient=False,
        capture=capture,
        triggers=capture == "triggers",
    )
    print(f"NEFERTARI_TEST_SEED={SEED}")  # noqa: T201 - shown when the test fails
    result = run(plan, servers)
    show(Console(width=120), result)
    assert result.passed
    assert result.torments.keys() == plan.torments.keys()


@pytest.fixture
def books(app):
    """An author with three books, all of them indexed."""
    with app.session() as session:
        session.add(Author(id=1, name="Le Guin"))
        session.add_all(Book(id=n, title=f"Book {n}", author_id=1) for n in (1, 2, 3))
        session.commit()
    return app


@pytest.mark.parametrize(
    "compare",
    [compare_all, lambda *given: compare_some(*given, numbers=[1, 2, 3, 4])],
    ids=["all", "some"],
)
def test_a_document_that_is_wrong_or_missing_or_has_no_row_is_counted(books, compare):
    assert compare(books, Book).counts == (0, 0, 0)
    client = books.secondary.client
    alias = books.secondary.model_of(books.engines.schema_of(Book)).alias
    document = client.get(index=alias, id="1")["_source"]
    client.index(index=alias, id="1", document={**document, "title": "corrupted"})
    client.delete(index=alias, id="2")
    client.index(index=alias, id="4", document=document)
    found = compare(books, Book)
    assert (found.rows, found.counts) == (3, (1, 1, 1))
    assert (found.lost, found.ghosts) == (["2"], ["4"])
    assert found.stale == {"1": {"title": ("Book 1", "corrupted")}}
    assert compare(books, Author).counts == (0, 0, 0)


def test_a_field_that_a_document_has_not_makes_it_stale(books):
    client = books.secondary.client
    alias = books.secondary.model_of(books.engines.schema_of(Book)).alias
    document = client.get(index=alias, id="1")["_source"]
    del document["year"]
    document["author"]["name"] = "corrupted"
    client.index(index=alias, id="1", document=document)
    assert compare_all(books, Book).stale["1"].keys() == {"year", "author"}


SOUND = Result(
    plan=Plan(seed="1", changes=10, torments={"kill": None}),
    changes={"create": 6, "delete": 5},
    torments={"kill": 1},
    differences={"Book": Difference(rows=3)},
    waiting=0,
    dead=0,
    seconds=1.0,
)


def test_a_run_passes_when_nothing_is_wrong_and_enough_was_done():
    assert SOUND.passed


@pytest.mark.parametrize(
    "flaw",
    [
        {"changes": {"create": 9}},
        {"torments": {}},
        {"differences": {"Book": Difference(lost=["1"])}},
        {"differences": {"Book": Difference(ghosts=["1"])}},
        {"differences": {"Book": Difference(stale={"1": {}})}},
        {"waiting": 1},
        {"dead": 1},
    ],
    ids=lambda flaw: next(iter(flaw)),
)
def test_a_run_with_any_flaw_does_not_pass(flaw):
    assert not replace(SOUND, **flaw).passed


def test_a_process_that_nobody_has_killed_is_told_with_the_end_of_its_log(tmp_path):
    arguments = ("-c", "raise SystemExit('out of paper')")
    process = Process("writer 1", lambda life: arguments, tmp_path / "log")
    process.start()
    process._process.wait()
    with pytest.raises(EndedByItself, match=r"writer 1.* status 1[\s\S]*out of paper"):
        process.check()
