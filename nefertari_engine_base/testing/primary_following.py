# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of primary engines: changes of what documents embed."""

from __future__ import annotations

from nefertari_engine_base.testing.primary_bench import Bench
from nefertari_engine_base.testing.primary_kit import PrimaryKit
from nefertari_engine_base.values.inspection import CHANGE, change_of


class FollowingSuite:
    """What an engine promises of rows that other documents embed."""

    def test_a_document_embeds_what_it_refers_to(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        alien = bench.index()["1"]
        assert alien["director"]["name"] == "Scott"
        assert alien["director"]["country"] == {"id": 1, "name": "UK"}
        assert [genre["name"] for genre in alien["genres"]] == ["horror", "space"]
        lost = bench.index()["4"]
        assert (lost["director"], lost["genres"]) == (None, [])

    def test_a_change_reaches_every_document_that_embeds_it(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Person", 1, name="Ridley")
        bench.assert_converged()
        names = {id_: one["director"] for id_, one in bench.index().items()}
        assert names["1"]["name"] == names["3"]["name"] == "Ridley"
        assert names["2"]["name"] == "Cameron"
        assert bench.index("Person")["1"]["name"] == "Ridley"

    def test_a_change_reaches_documents_that_embed_it_among_many(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Genre", 2, name="outer space")
        bench.assert_converged()
        assert bench.index()["1"]["genres"][1]["name"] == "outer space"
        assert bench.index()["2"]["genres"][0]["name"] == "outer space"

    def test_a_change_two_steps_away_is_followed(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Country", 1, name="Britain")
        bench.assert_converged()
        for id_ in ("1", "3"):
            assert bench.index()[id_]["director"]["country"]["name"] == "Britain"
        assert bench.index("Person")["1"]["country"]["name"] == "Britain"

    def test_only_documents_that_show_it_are_written(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        schema = bench.schema()
        before = bench.memory.stored(schema, ["1", "2", "3", "4"])
        bench.change("Person", 1, name="Ridley")
        bench.assert_converged()
        after = bench.memory.stored(schema, ["1", "2", "3", "4"])
        written = [one != other for one, other in zip(before, after, strict=True)]
        assert written == [True, False, True, False]

    def test_a_document_tells_by_which_path_its_change_came(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Film", 2, year=1987)
        bench.change("Country", 1, name="Britain")
        bench.deliver()
        stored = bench.memory.stored(bench.schema(), ["1", "2"])
        assert [one and one.why for one in stored] == [
            change_of("director.country"),
            CHANGE,
        ]

    # --- references

    def test_a_moved_reference_is_followed(self, bench: Bench[PrimaryKit]) -> None:
        bench.fill()
        bench.change("Film", 1, director=2)
        bench.change("Person", 1, country=2)
        bench.assert_converged()
        assert bench.index()["1"]["director"]["name"] == "Cameron"
        assert bench.index()["3"]["director"]["country"]["name"] == "US"

    def test_after_a_reference_has_moved_its_new_end_is_followed(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Film", 1, director=3)
        bench.change("Person", 3, name="Somebody")
        bench.change("Person", 1, name="Ridley")
        bench.assert_converged()
        assert bench.index()["1"]["director"]["name"] == "Somebody"
        assert bench.index()["3"]["director"]["name"] == "Ridley"

    def test_a_reference_that_is_set_and_one_that_is_cleared_are_followed(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Film", 4, director=2)
        bench.change("Film", 1, director=None)
        bench.change("Person", 2, country=None)
        bench.assert_converged()
        assert bench.index()["4"]["director"]["name"] == "Cameron"
        assert bench.index()["1"]["director"] is None
        assert bench.index()["2"]["director"]["country"] is None

    def test_members_that_come_and_go_are_followed(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Film", 1, genres=[2, 3])
        bench.change("Film", 4, genres=[1])
        bench.change("Film", 3, genres=[])
        bench.assert_converged()
        genres = {
            id_: [genre["id"] for genre in one["genres"]]
            for id_, one in bench.index().items()
        }
        assert genres == {"1": [2, 3], "2": [2], "3": [], "4": [1]}

    def test_references_that_a_statement_moves_are_followed(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change_where("Film", "year", 1982, director=2)
        bench.change_where("Person", "name", "Cameron", country=1)
        bench.assert_converged()
        assert bench.index()["3"]["director"]["name"] == "Cameron"
        assert bench.index()["2"]["director"]["country"]["name"] == "UK"

    # --- statements and deletes

    def test_a_statement_on_what_is_embedded_is_followed(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change_where("Person", "name", "Scott", name="Ridley")
        bench.change_where("Country", "name", "US", name="States")
        bench.change_where("Genre", "name", "noir", name="neo-noir")
        bench.assert_converged()
        assert bench.index()["1"]["director"]["name"] == "Ridley"
        assert bench.index()["2"]["director"]["country"]["name"] == "States"
        assert bench.index()["3"]["genres"][0]["name"] == "neo-noir"

    def test_what_is_deleted_leaves_the_documents_that_embed_it(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.delete("Person", 1)
        bench.delete("Genre", 2)
        bench.delete("Country", 2)
        bench.assert_converged()
        index = bench.index()
        assert index["1"]["director"] is None
        assert [genre["id"] for genre in index["1"]["genres"]] == [1]
        assert index["2"]["director"]["country"] is None
        assert set(bench.index("Person")) == {"2", "3"}

    def test_what_a_statement_deletes_leaves_the_documents_that_embed_it(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.delete_where("Person", "name", "Scott")
        bench.delete_where("Genre", "name", "space")
        bench.delete_where("Country", "name", "US")
        bench.assert_converged()
        index = bench.index()
        assert index["3"]["director"] is None
        assert index["2"]["genres"] == []
        assert index["2"]["director"]["country"] is None

    # --- many

    def test_a_change_that_many_documents_show_is_carried_to_all_in_parts(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        rows = [
            {"id": key, "title": str(key), "director": 2, "published": True}
            for key in range(10, 40)
        ]
        bench.create_many("Film", *rows)
        bench.deliver()
        bench.change("Person", 2, name="James")
        with bench.settings(batch_size=7):
            bench.assert_converged()
        names = [one["director"] for one in bench.index().values()]
        assert [one["name"] for one in names if one].count("James") == 31

    def test_an_entry_for_what_nobody_shows_any_more_is_delivered(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Person", 1, name="Ridley")
        bench.change("Film", 1, director=None)
        bench.delete("Film", 3)
        bench.assert_converged()
        assert bench.index()["1"]["director"] is None
