# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of primary engines: two versions of an application side by side."""

from __future__ import annotations

from nefertari_engine_base.testing.primary_bench import MEMORY, Bench
from nefertari_engine_base.testing.primary_kit import PrimaryKit
from nefertari_engine_base.values import DocumentRef, Touch


class RollingSuite:
    """What an outbox promises of the forms of documents."""

    def test_another_version_delivers_the_models_whose_form_it_has_recorded(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        outbox, forms = bench.outbox, bench.engines.forms
        own = dict(outbox.recorded_forms())
        assert {"Film", "Person"} <= own.keys()
        others = {"Film": "of another version", "Ghost": "of a newer one"}
        outbox.record_forms(others)
        forms.foreign(outbox, outbox.recorded_forms())
        outbox.add([Touch(MEMORY, "Ghost", "1"), Touch(MEMORY, "Film", "4")])
        outbox.add([Touch(MEMORY, "Person", "3")])
        bench.deliver_due()
        assert outbox.waiting() == 2
        assert not outbox.dead_letters()
        forms.record()
        assert outbox.recorded_forms() == {**own, "Ghost": others["Ghost"]}
        bench.deliver_due()
        assert outbox.waiting() == 1
        assert forms.unknown() == ["Ghost"]
        assert forms.forget("Ghost")
        assert not forms.forget("Ghost")

    def test_what_was_drawn_before_another_form_is_recorded_is_not_acknowledged(
        self, bench: Bench[PrimaryKit]
    ) -> None:
        bench.fill()
        outbox, forms = bench.outbox, bench.engines.forms
        outbox.record_forms({"Film": "of another version"})
        outbox.add([Touch(MEMORY, "Film", "4")])
        with outbox.claim(10) as claim:
            claim.draw_and_load([DocumentRef("Film", "4")])
            assert claim.recorded_forms()["Film"] == "of another version"
            forms.record()
            claim.acknowledge(claim.entries)
        assert outbox.waiting() == 1
        bench.deliver()
