# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of primary engines: the events of writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nefertari_engine_base.testing.primary_bench import Bench
from nefertari_engine_base.testing.primary_kit import PrimaryKit
from nefertari_engine_base.testing.workbench import raises
from nefertari_engine_base.values import Action


class Refused(Exception):
    """What a subscriber raises that does not want a write."""


class EventsSuite:
    """What an engine promises of events."""

    def test_each_write_of_an_instance_is_announced_with_it(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        created = bench.create("Film", 1, title="Alien")
        (event,) = bench.heard
        assert event.instance is created
        assert bench.events() == [("DocumentCreated", "Film", ("1",))]
        changed = bench.change("Film", 1, title="Aliens", year=1986)
        (event,) = bench.heard
        assert event.instance is changed
        assert event.change.fields == {"title", "year"}
        assert bench.events() == [("DocumentUpdated", "Film", ("1",))]
        deleted = bench.delete("Film", 1)
        (event,) = bench.heard
        assert event.instance is deleted
        assert bench.events() == [("DocumentDeleted", "Film", ("1",))]

    def test_an_event_shows_the_document_as_it_will_be(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        shown: list[Any] = []

        def show(event: Any) -> None:
            # The other end of a link may be announced as well.
            if event.model is bench.kit.models["Film"]:
                shown.append(dict(event.to_dict()))

        bench.listener = show
        bench.create("Film", 5, title="new", director=1, genres=[3])
        bench.change("Film", 2, title="changed")
        bench.assert_converged()
        assert shown == [bench.index()["5"], bench.index()["2"]]

    def test_one_statement_is_announced_by_one_event_of_all_that_it_changes(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        rows = [{"id": key, "title": "a", "published": True} for key in (1, 2, 3)]
        bench.create_many("Film", *rows)
        (event,) = bench.heard
        assert event.action is Action.CREATED
        assert bench.events() == [("DocumentsChanged", "Film", ("1", "2", "3"))]
        bench.change_where("Film", "title", "a", year=1979, title="b")
        (event,) = bench.heard
        assert event.action is Action.UPDATED
        assert {change.fields for change in event.changes} == {
            frozenset({"title", "year"})
        }
        assert bench.events() == [("DocumentsChanged", "Film", ("1", "2", "3"))]
        bench.delete_where("Film", "title", "b")
        (event,) = bench.heard
        assert event.action is Action.DELETED
        assert bench.events() == [("DocumentsChanged", "Film", ("1", "2", "3"))]

    def test_what_no_document_shows_is_announced_as_well(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Film", 1, notes="for the curious")
        (event,) = bench.heard
        assert event.change.fields == {"notes"}

    def test_models_without_documents_that_are_embedded_are_announced(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        bench.change("Country", 1, name="Britain")
        assert bench.events() == [("DocumentUpdated", "Country", ("1",))]

    def test_a_subscriber_may_veto_each_kind_of_write_and_nothing_is_written(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        before = bench.rows()

        def veto(event: object) -> None:
            raise Refused

        new = {"id": 8, "title": "never", "published": True}
        writes: list[Callable[[], object]] = [
            lambda: bench.create("Film", 9, title="never"),
            lambda: bench.change("Film", 1, title="never"),
            lambda: bench.delete("Film", 1),
            lambda: bench.create_many("Film", new),
            lambda: bench.change_where("Film", "year", 1979, title="never"),
            lambda: bench.delete_where("Film", "year", 1979),
        ]
        bench.listener = veto
        for write in writes:
            raises(Refused, write)
        bench.listener = None
        assert bench.entries() == []
        assert bench.rows() == before
        assert bench.commits == []
        bench.change("Film", 1, title="after all")
        bench.assert_converged()

    def test_a_write_is_not_visible_to_others_when_its_event_is_sent(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        seen: list[int] = []
        bench.listener = lambda event: seen.append(bench.outbox.waiting())
        bench.create("Film", 1, title="Alien")
        bench.change("Film", 1, title="Aliens")
        assert seen == [0, 1]

    def test_after_the_commit_its_changes_are_announced_once(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.create("Film", 1, title="Alien")
        bench.change_where("Film", "id", 1, title="Aliens")
        bench.delete("Film", 1)
        told = [
            [(change.ref.id, change.action) for change in event.changes]
            for event in bench.commits
        ]
        assert told == [
            [("1", Action.CREATED)],
            [("1", Action.UPDATED)],
            [("1", Action.DELETED)],
        ]

    def test_a_write_that_the_store_refuses_is_not_announced_as_committed(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        raises(Exception, bench.create, "Film", 1)
        assert bench.commits == []
        bench.assert_converged()
        assert bench.index()["1"]["title"] == "Alien"
