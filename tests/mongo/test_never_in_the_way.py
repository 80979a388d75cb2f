"""What MongoEngine does for an application, it does the same with documents."""

from __future__ import annotations

import bson
import mongoengine as me
import pymongo
import pytest
from bson.raw_bson import RawBSONDocument
from mongoengine.context_managers import switch_collection
from pymongo.errors import DuplicateKeyError

from nefertari_engine_base import ChangesCommitted
from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.sync.worker import drain
from tests.mongo.films import Films, Picture


class Sample(me.Document):
    title = me.StringField()
    code = me.StringField(unique=True, sparse=True)


class Numbered(me.Document):
    """Has a plain field called ``id``, so that its key is called otherwise."""

    id = me.IntField()
    title = me.StringField()


class Samples(Films):
    """An application of them.

    :attr committed: what is heard of changes that are committed.
    """

    models = (Sample, Numbered)

    def declare(self, config):
        self.committed = []
        for model in self.models:
            config.add_secondary(model)
        config.add_subscriber(self._hear_commit, ChangesCommitted)

    def _hear_commit(self, event):
        self.committed.append([change.ref.id for change in event.changes])


@pytest.fixture
def samples(mongodb):
    samples = Samples()
    yield samples
    samples.close()


@pytest.fixture
def inline(mongodb):
    samples = Samples(sync="inline")
    yield samples
    samples.close()


# --- inserts of which a part is refused --------------------------------------------


def insert_with_duplicate(**options):
    """Insert five, of which the third is refused; their keys."""
    Sample(title="there", code="b").save()
    raws = [{"title": f"No. {n}", "code": code} for n, code in enumerate("acbde")]
    with pytest.raises(pymongo.errors.BulkWriteError):
        Sample._get_collection().insert_many(raws, **options)
    return [str(raw["_id"]) for raw in raws]


def test_what_an_insert_of_many_has_inserted_before_a_duplicate_is_delivered(inline):
    first, second, *_ = insert_with_duplicate()
    assert inline.index(Sample).keys() >= {first, second}
    assert inline.committed[-1] == [first, second]
    assert inline.outbox.waiting() == 0
    inline.assert_index_equals_collections()


def test_what_an_unordered_insert_has_inserted_around_a_duplicate_is_delivered(inline):
    ids = insert_with_duplicate(ordered=False)
    there = [*ids[:2], *ids[3:]]
    assert inline.index(Sample).keys() >= {*there}
    assert inline.committed[-1] == there
    assert inline.outbox.waiting() == 0


def test_a_query_set_that_inserts_a_duplicate_raises_as_ever(inline):
    Sample(code="b").save()
    with pytest.raises(me.errors.BulkWriteError):
        Sample.objects.insert([Sample(code="a"), Sample(code="b"), Sample(code="c")])
    assert {one["code"] for one in inline.index(Sample).values()} == {"a", "b"}


def test_an_update_of_many_that_is_refused_in_the_middle_is_delivered(inline):
    for title in ("one", "two", "three"):
        Sample(title=title).save()
    with pytest.raises(me.errors.NotUniqueError):
        Sample.objects.update(set__code="same")
    assert Sample.objects(code="same").count() == 1
    assert inline.outbox.waiting() == 0
    assert [one["code"] for one in inline.index(Sample).values()].count("same") == 1


@pytest.mark.parametrize("bad", [[], {}, 5, [5], None])
def test_what_is_no_list_of_documents_is_refused_as_ever(samples, mongodb, bad):
    with pytest.raises(Exception) as plainly:
        mongodb["elsewhere"].insert_many(bad)
    with pytest.raises(type(plainly.value)) as captured:
        Sample._get_collection().insert_many(bad)
    assert str(captured.value) == str(plainly.value)


def test_raw_documents_are_inserted_as_ever_and_owed_where_the_server_makes_the_key(
    samples,
):
    raw = RawBSONDocument(bson.encode({"title": "raw"}))
    Sample._get_collection().insert_one(raw)
    assert Sample.objects.get().title == "raw"
    samples.catch_up()
    samples.assert_index_equals_collections()
    assert len(samples.index(Sample)) == 1


# --- instances that were never saved -----------------------------------------------


def test_an_instance_that_was_never_saved_is_upserted_as_ever(samples):
    new = Sample(title="new")
    assert new.update(set__code="x", upsert=True) == 1
    assert new.pk is None
    samples.assert_index_equals_collections()
    ((_, document),) = samples.index(Sample).items()
    assert (document["title"], document["code"]) == ("new", "x")
    assert Sample(title="new").update(set__code="y", upsert=True) == 1
    samples.assert_index_equals_collections()
    assert [one["code"] for one in samples.index(Sample).values()] == ["y"]


@pytest.mark.parametrize("method", ["update", "save", "delete", "modify", "reload"])
def test_an_instance_whose_key_can_be_none_is_refused_as_ever(mongodb, method):
    def outcome():
        instance = Sample(pk="no key", title="x")
        options = {"set__title": "y"} if method in ("update", "modify") else {}
        try:
            return getattr(instance, method)(**options)
        except Exception as error:  # noqa: BLE001 - that is what is compared
            return type(error), str(error)

    plainly = outcome()
    samples = Samples()
    try:
        assert outcome() == plainly
    finally:
        samples.close()


def test_a_class_with_a_plain_field_called_id_is_saved_as_ever(samples):
    numbered = Numbered(title="seven").save()
    (stored,) = Numbered._get_collection().find()
    assert numbered.pk == numbered.auto_id_0 == stored["_id"]
    samples.assert_index_equals_collections()
    ((id_, document),) = samples.index(Numbered).items()
    assert (id_, document["title"]) == (str(stored["_id"]), "seven")


# --- collections -------------------------------------------------------------------


def test_a_collection_is_dropped_though_its_indexes_cannot_be_made(samples, mongodb):
    mongodb["sample"].drop()
    mongodb["sample"].insert_many([{"code": "same"}, {"code": "same"}])
    Sample._collection = None
    with pytest.raises(DuplicateKeyError):
        Sample._get_collection()
    Sample._collection = None
    Sample.drop_collection()
    assert mongodb["sample"].count_documents({}) == 0
    samples.catch_up()
    samples.assert_index_equals_collections()
    Sample(title="after").save()
    samples.assert_index_equals_collections()


def test_a_drop_makes_no_indexes(samples, mongodb, commands):
    Sample._collection = None
    commands.taken()
    Sample.drop_collection()
    assert not any(name == "createIndexes" for name, _ in commands.taken())


def test_another_collection_that_is_dropped_in_place_of_the_own_is_not_owed(samples):
    with switch_collection(Sample, "elsewhere") as switched:
        switched.drop_collection()
    assert samples.outbox.debt_status() == ()


# --- connections -------------------------------------------------------------------


def test_a_drain_after_the_connection_was_given_back_says_what_to_do(mongodb_url):
    me.connect(host=mongodb_url, uuidRepresentation="standard")
    samples = Samples()
    try:
        Sample.drop_collection()
        me.disconnect()
        with pytest.raises(PrimaryError, match=r"mongoengine\.connect"):
            drain(samples.engines)
    finally:
        samples.close()


def test_the_connection_of_one_model_may_end_while_others_are_written(
    films, mongodb_url
):
    class Elsewhere(me.Document):
        meta = {"db_alias": "elsewhere", "collection": "picture"}
        title = me.StringField()

    class Two(Samples):
        models = (Elsewhere,)

    me.connect(host=mongodb_url, alias="elsewhere", uuidRepresentation="standard")
    two = Two()
    try:
        me.disconnect("elsewhere")
        Picture(title="Alien").save()
        films.assert_index_equals_collections()
    finally:
        two.close()
