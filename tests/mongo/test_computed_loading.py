"""Values of computed fields: which documents they are made of, what they may read."""

from __future__ import annotations

import gc
from decimal import Decimal
from uuid import UUID

import mongoengine as me
import orjson
import pytest
from bson import ObjectId
from mongoengine.base.common import _document_registry

from nefertari_engine_base import document_field
from nefertari_engine_base.exceptions import QueryError
from nefertari_engine_base.primary.mongo.loading import to_dict
from nefertari_engine_base.primary.mongo.querying import count, get_by_ids, search
from nefertari_engine_base.schema import Nested
from nefertari_engine_base.values import (
    Filter,
    Operator,
    Query,
    Sort,
)
from tests.docs.blocks import DOCS, python_blocks
from tests.mongo.computed import ASKED, described, load, load_one
from tests.mongo.computed_models import (
    Ghost,
    Laurel,
    Nation,
    Play,
    Poet,
    Run,
    Writer,
)


@pytest.fixture
def asked(plays):
    """The queries of a test, from its beginning."""
    ASKED.finds.clear()
    return ASKED.finds


@pytest.fixture
def plays(mongodb):
    """Plays, and all that they read, in the order of their years."""
    uk, gr = (Nation(code=code, name=code.upper()).save() for code in ("uk", "gr"))
    homer = Poet(name="Homer", metre="hexameters", nation=gr).save()
    kyd = Writer(name="Kyd", nation=uk, mentor=homer).save()
    bill = Writer(name="Bill", nation=uk, mentor=kyd).save()
    anon = Ghost(name="Anon").save()
    found = []
    for year, writer in enumerate((bill, anon, homer, None, bill), 1601):
        prizes = [
            Laurel(title=f"p{n}", given_by=(uk, gr)[n % 2]) for n in range(year % 4)
        ]
        play = Play(title=f"play {year}"[: 2 * (year - 1598)], year=year)
        play.writer, play.cast, play.prizes = writer, [kyd, homer][: year % 3], prizes
        play.prize = prizes[0] if prizes else None
        play.run = Run(nights=year, prizes=prizes)
        play.rival = found[-1] if found else None
        play.prices = {"pit": Decimal("0.10"), "box": Decimal("1.50")} if prizes else {}
        found.append(play.save())
    return found


MODELS = [
    (Play, {}),
    (Play, {"nested": ("writer", "cast", "rival", "prizes.given_by")}),
    (Play, {"nested": {"writer": Nested(fields=("origin",))}}),
    (Play, {"exclude": ("label", "prizes", "prize.headline", "run")}),
    (Writer, {}),
    (Writer, {"nested": ("mentor.mentor.nation",)}),
    (Poet, {}),
    (Ghost, {}),
]


# --- values ------------------------------------------------------------------------


def test_computed_fields_stand_behind_everything_else(plays):
    document = load_one(described(Play, nested=("writer",)), plays[0])
    names = ("size", "label", "names", "laurels", "shout", "rivalry", "best", "crowd")
    assert tuple(document)[-8:] == names
    assert document["size"] == "SHORT"
    assert document["label"] == "play 1 (1601), Bill"
    assert document["names"] == ["Kyd", "Homer"]
    assert document["laurels"] == ["p0/UK"]
    assert document["shout"] == "PLAY 1 (1601), BILL, P0 OF UK, BILL < KYD < HOMER"
    assert document["best"] == "1.50"
    assert document["crowd"] == 2
    assert document["prize"]["headline"] == "p0 of UK"
    assert document["run"]["prizes"][0]["headline"] == "p0 of UK"
    assert document["writer"]["origin"] == "Bill (UK)"
    assert list(document["prize"]) == ["title", "year", "given_by", "headline"]


def test_what_is_not_there_is_none_or_empty(plays):
    document = load_one(described(Play), plays[3])
    assert (document["label"], document["prize"]) == (None, None)
    assert document["rivalry"] == "play 1603 play 1603"
    assert load_one(described(Play), plays[0])["rivalry"] is None
    assert load_one(described(Play), plays[1])["names"] == []


@pytest.mark.parametrize(("model", "options"), MODELS)
def test_an_instance_has_the_bytes_of_its_document(plays, model, options):
    schema = described(model, **options)
    found = load(schema)
    assert found
    for id_, document in found.items():
        assert orjson.dumps(to_dict(schema, model.objects.get(pk=id_))) == document


@pytest.mark.parametrize(("model", "options"), MODELS)
def test_a_document_is_the_same_alone_and_among_others(plays, model, options):
    schema = described(model, **options)
    for id_, document in load(schema).items():
        assert load(schema, id_) == {id_: document}


def test_other_fields_keep_the_bytes_that_they_have_without_computed_ones(plays):
    computed = (*described(Play).computed, "prize", "prizes", "run")
    plain = load(described(Play, exclude=computed))
    for id_, document in load(
        described(Play, exclude=("prize", "prizes", "run"))
    ).items():
        assert document.startswith(plain[id_][:-1] + b',"size":')


def test_a_superclass_shows_its_own_field_of_all_its_documents(plays):
    found = {
        one["name"]: one for one in map(orjson.loads, load(described(Writer)).values())
    }
    assert found["Anon"]["origin"] == "Anon (?)"
    assert found["Homer"]["origin"] == "Homer (GR)"
    poet = Poet.objects.get()
    assert load_one(described(Poet), poet)["origin"] == "Homer in hexameters"
    assert "origin" not in load_one(described(Ghost), Ghost.objects.get())


def test_an_instance_that_is_not_saved_has_its_values(plays):
    play = Play(title="New", writer=plays[0].writer, prize=Laurel(title="Oscar"))
    assert play.label == "New (None), Bill"
    document = to_dict(described(Play), play)
    assert document["label"] == "New (None), Bill"
    assert document["prize"]["headline"] == "Oscar of nobody"
    with pytest.raises(AttributeError, match="label of Play is computed"):
        play.label = "Other"


def test_an_instance_shows_what_is_not_saved_of_what_it_refers_to(plays):
    play = Play.objects.get(pk=plays[0].pk)
    play.writer.name, play.prize.title = "Will", "Oscar"
    document = to_dict(described(Play), play)
    assert document["label"] == "play 1 (1601), Will"
    assert document["prize"]["headline"] == "Oscar of UK"


def test_defaults_are_those_of_mongoengine(mongodb):
    mongodb.play.insert_one({"_id": ObjectId()})
    play = Play.objects.only("pk").first()
    assert play.size.name == load_one(described(Play), play)["size"] == "LONG"


def test_a_number_that_is_not_stored_is_not_drawn(mongodb):
    class Numbered(me.Document):
        number = me.SequenceField()

        @document_field(depends_on=("number",))
        def text(self) -> str:
            return str(self.number)

    mongodb.numbered.insert_one({"_id": ObjectId()})
    (document,) = load(described(Numbered)).values()
    assert orjson.loads(document)["text"] == "None"
    assert mongodb["mongoengine.counters"].count_documents({}) == 0


def test_every_form_of_a_reference_is_read(mongodb):
    class Keyed(me.Document):
        id = me.UUIDField(primary_key=True)
        name = me.StringField()

    class Referring(me.Document):
        pointer = me.ReferenceField(Keyed, dbref=True)
        lazies = me.ListField(me.LazyReferenceField(Keyed))
        one = me.ReferenceField(Keyed, db_field="o")

        @document_field(depends_on=("pointer.name", "lazies.name", "one.name"))
        def text(self) -> str:
            lazies = [f"{each.pk.int}{each.fetch().name}" for each in self.lazies]
            return f"{self.pointer.name} {lazies} {self.one.name}"

    a, b = (Keyed(id=UUID(int=n), name="xab"[n]).save() for n in (1, 2))
    one = Referring(pointer=a, lazies=[a, b, a], one=b).save()
    schema = described(Referring)
    assert load_one(schema, one)["text"] == "a ['1a', '2b', '1a'] b"
    assert to_dict(schema, Referring.objects.get())["text"] == "a ['1a', '2b', '1a'] b"


@pytest.fixture
def registry():
    """Classes that a test declares are forgotten by their names, which are others'."""
    names = dict(_document_registry)
    yield
    _document_registry.clear()
    _document_registry.update(names)


def test_the_models_of_the_page_have_their_fields(mongodb, registry):
    _, block = python_blocks(DOCS / "howto" / "computed-fields.rst")
    page = {"__name__": "computed_fields_page"}
    block.run(page)
    uk = page["Country"](name="UK").save()
    weaver = page["Person"](name="Weaver").save()
    awards = [page["Award"](title="BAFTA", given_by=uk)]
    movie = page["Movie"](title="Alien", cast=[weaver], awards=awards).save()
    document = load_one(described(page["Movie"]), movie)
    assert document["label"] == "Alien: Weaver, BAFTA of UK"


# --- queries -----------------------------------------------------------------------


def collections(asked):
    return [command["find"] for command in asked]


def test_each_relation_that_is_read_takes_one_query(plays, asked):
    computed = described(Play).computed
    schema = described(
        Play,
        exclude=[*(name for name in computed if name != "shout"), "run", "prizes"],
    )
    load(schema)
    # Ids, documents, what shout reads, and what headline reads for itself.
    assert collections(asked) == [
        *("play", "play", "writer", "writer", "writer", "nation", "nation"),
    ]  # fmt: skip


def test_only_what_is_named_is_read_of_others(plays, asked):
    load(described(Writer), Writer.objects.get(name="Bill").pk)
    projections = [set(command["projection"]) for command in asked[2:]]
    assert {*map(frozenset, projections)} == {
        frozenset({"_cls", "_id", "n"}),
        frozenset({"_cls", "_id", "name"}),
        frozenset({"_cls", "_id", "name", "mentor"}),
    }


def test_all_is_read_as_deliveries_read(plays, asked):
    load(described(Play))
    assert len(asked) > 5
    for command in asked:
        assert command["readConcern"] == {"level": "majority"}, command


def test_models_without_computed_fields_make_no_instances(plays):
    computed = tuple(described(Play).computed)
    schema = described(Play, exclude=(*computed, "prize", "prizes", "run"))
    plays.clear()
    gc.collect()
    before = {id(each) for each in gc.get_objects() if type(each) is Play}
    gc.disable()
    try:
        load(schema)
        after = {id(each) for each in gc.get_objects() if type(each) is Play}
    finally:
        gc.enable()
    assert after == before


# --- reads -------------------------------------------------------------------------


def test_the_primary_cannot_compare_what_it_does_not_store(plays):
    schema = described(Play)
    for query in (
        Query(filters=(Filter("label", Operator.EQ, "x"),)),
        Query(sort=(Sort("label", descending=True),)),
        Query(filters=(Filter("prize.headline", Operator.EXISTS, True),)),
    ):
        for ask in (search, count):
            with pytest.raises(QueryError, match="which is computed"):
                ask(schema, query)


def test_instances_come_with_what_their_computed_fields_read(plays, asked):
    schema = described(Play, nested=("writer",))
    page = search(schema, Query(sort=(Sort("year"),)))
    found = get_by_ids(schema, [str(plays[0].pk)])
    queries = len(asked)
    shown = [play.shout for play in page]
    assert page[0].laurels == ["p0/UK"]
    assert shown[0] == found[str(plays[0].pk)].shout
    assert shown[0].endswith("BILL < KYD < HOMER")
    assert len(asked) == queries
