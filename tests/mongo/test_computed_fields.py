"""A change of what a computed field reads writes the documents anew; of anything
else it costs nothing.

No reference is embedded, so that computed fields alone lead to the documents.
"""

from __future__ import annotations

import os
import random
from decimal import Decimal

import pytest

from nefertari_engine_base.exceptions import InvalidParameter
from nefertari_engine_base.sync.worker import drain
from tests.mongo.computed_models import Ghost, Laurel, Nation, Play, Poet, Run, Writer
from tests.mongo.films import Films

SEED = os.environ.get("NEFERTARI_TEST_SEED") or os.urandom(4).hex()


class Plays(Films):
    """An application of plays and writers, and nothing delivered until it is asked."""

    models = (Play, Writer)

    def declare(self, config):
        config.add_secondary(Play, exclude=("notes", "run"))
        config.add_secondary(Writer, exclude=("notes",))


@pytest.fixture
def plays(mongodb):
    """Two plays, and what belongs to them, in the index."""
    plays = Plays(**{"nefertari.sync.retry_delay": "0"})
    uk, gr = (Nation(code=code, name=code.upper()).save() for code in ("uk", "gr"))
    Nation(code="fr", name="FR").save()
    kyd = Writer(name="Kyd", nation=uk).save()
    bill = Writer(name="Bill", nation=uk, mentor=kyd).save()
    prizes = [Laurel(title="Oscar", given_by=gr), Laurel(title="Bay", given_by=uk)]
    hamlet = Play(title="Hamlet", writer=bill, cast=[kyd], prizes=prizes)
    hamlet.prize, hamlet.run = prizes[1], Run(nights=5)
    hamlet.save()
    Play(title="Lear", rival=hamlet).save()
    plays.assert_index_equals_collections()
    yield plays
    plays.close()


def hamlet():
    return Play.objects.get(title="Hamlet")


def writer(name):
    return Writer.objects.get(name=name)


def change(document, **values):
    for name, value in values.items():
        setattr(document, name, value)
    document.save()


def rename_prize():
    play = hamlet()
    play.prizes[1].title = "New"
    play.save()


OWN = ("Play", "")
OF_NATION = {("Writer", "nation"), ("Play", "prize.given_by")} | {
    ("Play", "prizes.given_by")
}
WRITERS = {("Play", f"writer{more}") for more in ("", ".mentor", ".mentor.mentor")}
MENTORS = {("Writer", path) for path in ("", "mentor", "mentor.mentor")}

# What is done, and the entries that it makes.
CHANGES = {
    "a field of the document": (lambda: change(hamlet(), year=1601), {OWN}),
    "a field that another document reads, too": (
        lambda: change(hamlet(), title="Amleth"),
        {OWN, ("Play", "rival")},
    ),
    "a map": (lambda: change(hamlet(), prices={"pit": Decimal(1)}), {OWN}),
    "an embedded document": (rename_prize, {OWN}),
    "a document that is referred to": (
        lambda: change(writer("Bill"), name="William"),
        {*MENTORS, *WRITERS, ("Play", "cast")},
    ),
    "one that has no documents": (
        lambda: change(Nation.objects.get(code="uk"), name="GB"),
        OF_NATION,
    ),
    "one that is deleted": (
        lambda: Nation.objects.get(code="fr").delete(),
        OF_NATION,
    ),
    "one that was missing": (lambda: Nation(code="de", name="DE").save(), OF_NATION),
    "a query set's update of what is referred to": (
        lambda: Nation.objects.update(set__name="X"),
        OF_NATION,
    ),
    "a moved reference": (lambda: change(hamlet(), writer=writer("Kyd")), {OWN}),
    "a reference that is taken out": (
        lambda: Play.objects(title="Hamlet").update(unset__writer=1),
        {OWN},
    ),
    "a moved reference of what is referred to": (
        lambda: change(writer("Bill"), mentor=None),
        {("Writer", ""), ("Writer", "mentor"), ("Play", "writer")}
        | {("Play", "writer.mentor")},
    ),
    "a longer list of references": (
        lambda: Play.objects.update(push__cast=writer("Bill")),
        {OWN},
    ),
    "a document of a subclass": (
        lambda: Poet(name="Homer", metre="hexameters").save(),
        {("Writer", "")},
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_what_is_read_reaches_the_documents(plays, what):
    act, expected = CHANGES[what]
    act()
    assert set(plays.entries()) == expected
    plays.assert_index_equals_collections()


UNREAD = {
    "a field": lambda: change(hamlet(), notes="new"),
    "an embedded document that is not shown": lambda: change(
        hamlet(), run=Run(nights=6)
    ),
    "a field of what is referred to": lambda: change(writer("Kyd"), notes="new"),
    "a field of what has no documents": lambda: change(
        Nation.objects.get(code="uk"), notes="new"
    ),
    "a query set's update": lambda: Nation.objects.update(set__notes="new"),
}


@pytest.mark.parametrize("what", UNREAD)
def test_a_change_of_anything_else_makes_no_entry(plays, what):
    UNREAD[what]()
    assert plays.entries() == []


def shown(plays, title):
    return next(one for one in plays.index(Play).values() if one["title"] == title)


def test_values_are_those_that_the_documents_have_now(plays):
    assert shown(plays, "Hamlet")["laurels"] == ["Oscar/GR", "Bay/UK"]
    assert shown(plays, "Hamlet")["prize"]["headline"] == "Bay of UK"
    assert shown(plays, "Lear")["rivalry"] == "Hamlet Hamlet"
    change(Nation.objects.get(code="uk"), name="GB")
    change(writer("Kyd"), name="Thomas")
    change(hamlet(), title="Amleth")
    plays.deliver()
    assert shown(plays, "Amleth")["laurels"] == ["Oscar/GR", "Bay/GB"]
    assert shown(plays, "Amleth")["prize"]["headline"] == "Bay of GB"
    assert shown(plays, "Amleth")["names"] == ["Thomas"]
    assert shown(plays, "Amleth")["shout"].endswith("BILL < THOMAS")
    assert shown(plays, "Lear")["rivalry"] == "Amleth Amleth"
    origins = {one["origin"] for one in plays.index(Writer).values()}
    assert origins == {"Bill (GB)", "Thomas (GB)"}


def test_a_document_that_cannot_be_computed_is_refused_until_it_can_be(plays):
    lear = Play.objects.get(title="Lear")
    prizes = [Laurel(title="Nobel", given_by=Nation(code="se"))]
    change(lear, prizes=prizes)
    change(hamlet(), year=1602)
    (refused,) = {(ref.id, reason) for ref, reason in drain(plays.engines).errors}
    assert refused[0] == str(lear.pk)
    assert "headline of Laurel raised DoesNotExist" in refused[1]
    assert shown(plays, "Hamlet")["year"] == 1602
    assert shown(plays, "Lear")["laurels"] == []
    Nation(code="se", name="SE").save()
    plays.assert_index_equals_collections()
    assert shown(plays, "Lear")["laurels"] == ["Nobel/SE"]


def test_events_show_what_is_computed(plays):
    seen = []
    plays.listener = lambda event: seen.append(event.to_dict())
    change(hamlet(), year=1603)
    (document,) = seen
    assert document["label"] == "Hamlet (1603), Bill"
    assert document["prize"]["headline"] == "Bay of UK"


def test_only_the_secondary_compares_them(plays):
    (found,) = Play.get_collection(label="Hamlet (None), Bill")
    assert found.names == ["Kyd"]
    page = Play.get_collection(title="Hamlet", _query_secondary=False)
    assert page[0].to_dict()["label"] == page[0].label == "Hamlet (None), Bill"
    for parameters in ({"label": "x"}, {"_sort": "-label"}, {"crowd__exists": True}):
        with pytest.raises(InvalidParameter, match="is computed, so only a secondary"):
            Play.get_collection(**parameters, _query_secondary=False)
        with pytest.raises(InvalidParameter):
            Play.count(**parameters, _query_secondary=False)


def test_whatever_is_written_the_index_equals_the_collections(plays):
    chance = random.Random(SEED)

    def any_of(model):
        return chance.choice(list(model.objects))

    def embed():
        given = {"title": chance.choice("ab"), "given_by": any_of(Nation)}
        return [Laurel(**given) for _ in range(chance.randrange(3))]

    acts = (
        lambda: change(any_of(Nation), name=chance.choice("xyz")),
        lambda: change(any_of(Writer), name=chance.choice("xyz")),
        lambda: change(any_of(Writer), nation=any_of(Nation)),
        lambda: change(any_of(Writer), mentor=any_of(Writer)),
        lambda: change(any_of(Play), title=chance.choice("xyz")),
        lambda: change(any_of(Play), writer=any_of(Writer)),
        lambda: change(any_of(Play), prizes=embed()),
        lambda: change(any_of(Play), rival=any_of(Play)),
        lambda: Play.objects(pk=any_of(Play).pk).update(push__cast=any_of(Writer)),
        lambda: Play(title="new", writer=any_of(Writer), prizes=embed()).save(),
        lambda: Ghost(name="ghost", mentor=any_of(Writer)).save(),
        lambda: Nation.objects(code__gt="h").update(set__name=chance.choice("xyz")),
    )
    for number in range(60):
        chance.choice(acts)()
        if number % 15 == 14:
            plays.assert_index_equals_collections()
