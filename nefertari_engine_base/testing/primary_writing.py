# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of primary engines: what is written reaches the index."""

from __future__ import annotations

import random
import secrets
from concurrent.futures import ThreadPoolExecutor

from zope.interface.verify import verifyObject

from nefertari_engine_base.engines import engines_of
from nefertari_engine_base.interfaces import IOutbox, IPrimaryEngine
from nefertari_engine_base.settings import SyncMode
from nefertari_engine_base.testing.primary_bench import Bench
from nefertari_engine_base.testing.primary_kit import PrimaryKit


class WritingSuite:
    """What an engine promises of writes."""

    def test_it_provides_the_interfaces(self, bench: Bench[PrimaryKit]) -> None:
        assert verifyObject(IPrimaryEngine, bench.primary)
        assert bench.primary.name
        for outbox in bench.primary.outboxes():
            assert verifyObject(IOutbox, outbox)

    def test_it_owns_its_models_and_nothing_else(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        assert all(map(bench.primary.owns, bench.kit.models.values()))
        assert not bench.primary.owns(dict)

    def test_the_outbox_of_a_model_is_one_of_the_engines(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        outboxes = list(bench.primary.outboxes())
        assert bench.primary.outbox_of(bench.schema("Film")) in outboxes
        assert bench.primary.outbox_of(bench.schema("Person")) in outboxes
        assert len(outboxes) == len({id(outbox) for outbox in outboxes})

    def test_setup_may_be_repeated_and_loses_nothing(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.create("Film", 1, title="Alien")
        bench.primary.setup_database()
        assert bench.entries() == [("Film", "", "1")]
        bench.assert_converged()
        assert set(bench.index()) == {"1"}

    # --- documents

    def test_a_created_document_is_indexed(self, bench: Bench[PrimaryKit]) -> None:
        bench.create("Film", 1, title="Alien", year=1979)
        assert bench.entries() == [("Film", "", "1")]
        assert bench.index() == {}
        bench.assert_converged()
        document = bench.index()["1"]
        assert (document["id"], document["title"], document["year"]) == (
            1,
            "Alien",
            1979,
        )
        assert "notes" not in document

    def test_a_changed_document_is_indexed_anew(self, bench: Bench[PrimaryKit]) -> None:
        bench.fill()
        bench.change("Film", 1, title="Alien 1", year=None)
        assert bench.entries() == [("Film", "", "1")]
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "Alien 1"
        assert bench.index()["1"]["year"] is None

    def test_a_deleted_document_leaves_the_index(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.delete("Film", 1)
        assert bench.entries() == [("Film", "", "1")]
        bench.assert_converged()
        assert set(bench.index()) == {"2", "3", "4"}

    def test_a_document_may_be_deleted_and_come_back(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        for title in ("first", "second"):
            bench.create("Film", 1, title=title)
            bench.assert_converged()
            assert bench.index()["1"]["title"] == title
            bench.delete("Film", 1)
            bench.assert_converged()
            assert bench.index() == {}

    def test_the_last_of_many_changes_is_the_one_that_is_indexed(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.create("Film", 1, title="0")
        for number in range(1, 6):
            bench.change("Film", 1, title=str(number))
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "5"

    def test_what_no_document_shows_makes_no_entry(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Film", 1, notes="none of your business")
        bench.change("Person", 1, notes="nor this")
        bench.change_where("Film", "year", 1979, notes="nor this")
        bench.change_where("Person", "name", "Scott", notes="nor this")
        assert bench.entries() == []
        bench.assert_converged()

    def test_a_save_without_a_change_makes_no_entry(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Film", 1)
        bench.change("Film", 1, title="Alien")
        assert bench.entries() == []

    # --- statements

    def test_documents_that_are_created_by_one_statement_are_indexed(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        rows = [{"id": key, "title": str(key), "published": True} for key in range(30)]
        bench.create_many("Film", *rows)
        bench.assert_converged()
        assert len(bench.index()) == 30

    def test_a_statement_changes_the_documents_that_it_finds_and_no_other(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change_where("Film", "year", 1986, title="changed", rating=7.5)
        assert bench.entries() == [("Film", "", "2")]
        bench.assert_converged()
        changed = {id_: one["rating"] for id_, one in bench.index().items()}
        assert changed == {"1": None, "2": 7.5, "3": None, "4": None}

    def test_a_statement_that_changes_what_it_looks_for_is_followed(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change_where("Film", "year", 1986, year=1987)
        bench.assert_converged()
        assert bench.index()["2"]["year"] == 1987

    def test_a_statement_deletes_what_it_finds(self, bench: Bench[PrimaryKit]) -> None:
        bench.fill()
        bench.delete_where("Film", "year", 1979)
        entries = bench.entries()
        assert entries == [("Film", "", "1")], entries
        bench.assert_converged()
        assert set(bench.index()) == {"2", "3", "4"}

    def test_a_statement_that_finds_nothing_makes_no_entry(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change_where("Film", "year", 1900, title="never")
        bench.delete_where("Film", "year", 1900)
        assert bench.entries() == []
        assert bench.events() == []

    # --- conditions

    def test_a_document_comes_and_goes_with_its_condition(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Film", 1, published=False)
        bench.change_where("Film", "year", 1986, published=False)
        bench.create("Film", 5, title="secret", published=False)
        bench.assert_converged()
        assert set(bench.index()) == {"3", "4"}
        bench.change("Film", 1, published=True)
        bench.change_where("Film", "year", 1986, published=True)
        bench.assert_converged()
        assert set(bench.index()) == {"1", "2", "3", "4"}

    # --- who delivers

    def test_inline_a_write_is_in_the_index_when_it_returns(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        with bench.settings(sync=SyncMode.INLINE):
            bench.create("Film", 5, title="new")
            bench.change("Country", 1, name="Britain")
            bench.change_where("Film", "year", 1986, title="changed")
            bench.delete("Film", 4)
        assert bench.outbox.waiting() == 0
        index = bench.index()
        assert set(index) == {"1", "2", "3", "5"}
        assert index["1"]["director"]["country"]["name"] == "Britain"
        assert index["2"]["title"] == "changed"

    def test_inline_a_write_succeeds_while_the_secondary_is_away(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.memory.available = False
        with bench.settings(sync=SyncMode.INLINE):
            bench.create("Film", 1, title="Alien")
        bench.memory.available = True
        assert bench.entries() == [("Film", "", "1")]
        bench.assert_converged()

    def test_models_of_an_application_that_has_ended_are_written_as_ever(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.primary.close()
        bench.create("Film", 5, title="unheard")
        bench.change_where("Film", "year", 1979, title="unheard")
        assert bench.events() == []

    def test_an_application_that_is_made_anew_goes_on_with_what_waits(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.create("Film", 1, title="Alien")
        bench.engines.close()
        again = Bench(bench.kit)
        try:
            assert engines_of(again.engines.registry) is again.engines
            assert again.entries() == [("Film", "", "1")]
            again.assert_converged()
            assert again.index()["1"]["title"] == "Alien"
        finally:
            again.engines.close()

    # --- many at once

    def test_whatever_many_writers_and_workers_do_at_once_the_index_converges(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        seed = secrets.token_hex(4)
        print(f"seed {seed}")  # noqa: T201 - shown if the test fails
        bench.fill()
        with ThreadPoolExecutor(5) as threads:
            writers = [
                threads.submit(_write, bench, f"{seed}-{number}", 25)
                for number in range(3)
            ]
            while not all(writer.done() for writer in writers):
                bench.deliver_due()
        for writer in writers:
            writer.result()
        bench.assert_converged()


def _write(bench: Bench[PrimaryKit], seed: str, count: int) -> None:
    """Random writes, whose clashes are passed over as an application may."""
    dice = random.Random(seed)
    for number in range(count):
        try:
            _write_once(bench, dice, f"{seed} {number}")
        except bench.kit.clashes:
            continue


def _write_once(bench: Bench[PrimaryKit], dice: random.Random, name: str) -> None:
    film, person, country = (dice.randint(1, n) for n in (8, 3, 2))
    choice = dice.randrange(9)
    if choice == 0:
        bench.create("Film", film, title=name, year=dice.randint(1, 3))
    elif choice == 1:
        bench.delete("Film", film)
    elif choice == 2:
        bench.change("Film", film, director=dice.choice([None, person]))
    elif choice == 3:
        bench.change("Film", film, genres=dice.sample([1, 2, 3], dice.randint(0, 3)))
    elif choice == 4:
        bench.change("Person", person, name=name)
    elif choice == 5:
        bench.change("Person", person, country=dice.choice([None, country]))
    elif choice == 6:
        bench.change_where("Film", "year", dice.randint(1, 3), title=name)
    elif choice == 7:
        bench.change_where("Country", "id", country, name=name)
    else:
        bench.change("Film", film, published=dice.random() < 0.7)
