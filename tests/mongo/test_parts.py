"""A write of many documents is one command, of several statements."""

from __future__ import annotations

import mongoengine as me
import pytest
from pymongo.collation import Collation
from pymongo.errors import BulkWriteError, DuplicateKeyError, WriteError, WTimeoutError

from nefertari_engine_base.primary.mongo.parts import KEYS_OF_A_STATEMENT, _raise_as_one
from tests.mongo.films import Films

MANY = 3 * KEYS_OF_A_STATEMENT + 7


class Frame(me.Document):
    number = me.IntField(unique=True)
    code = me.StringField(unique=True, sparse=True)
    marks = me.ListField(me.IntField())


class Frames(Films):
    models = (Frame,)

    def declare(self, config):
        config.add_secondary(Frame)


@pytest.fixture
def frames(mongodb):
    frames = Frames()
    Frame.objects.insert([Frame(number=n, marks=[n, 1]) for n in range(MANY)])
    frames.assert_index_equals_collections()
    yield frames
    frames.close()


def test_many_are_changed_and_deleted_by_one_command_each(frames, commands):
    commands.taken()
    assert Frame.objects(number__gte=3).update(inc__number=1000) == MANY - 3
    assert commands.taken()["update", "frame"] == 1
    frames.assert_index_equals_collections()
    commands.taken()
    assert Frame.objects(number__gte=1000).delete() == MANY - 3
    assert commands.taken()["delete", "frame"] == 1
    frames.assert_index_equals_collections()
    assert len(frames.index(Frame)) == 3


def test_its_result_is_that_of_one_update(frames):
    collection = Frame._get_collection()
    result = collection.update_many(
        {"number": {"$gte": 5}}, {"$set": {"marks": [1]}}, comment="no matter"
    )
    assert (result.matched_count, result.modified_count) == (MANY - 5, MANY - 5)
    assert result.upserted_id is None
    again = collection.update_many({"number": {"$gte": 5}}, {"$set": {"marks": [1]}})
    assert (again.matched_count, again.modified_count) == (MANY - 5, 0)
    assert collection.delete_many({"number": {"$gte": 5}}).deleted_count == MANY - 5
    frames.assert_index_equals_collections()


def test_options_of_an_update_are_those_of_its_statements(frames):
    Frame._get_collection().update_many(
        {},
        {"$set": {"marks.$[mark]": -1}},
        array_filters=[{"mark": {"$gte": 50}}],
        collation=Collation("simple"),
    )
    assert Frame.objects(marks=-1).count() == MANY - 50
    frames.assert_index_equals_collections()


@pytest.mark.parametrize("document", [{"code": "same"}, {"number": 5}])
def test_a_duplicate_is_the_error_of_one_update_and_what_came_before_is_followed(
    frames, document
):
    # Of numbers 0 to MANY one may become 5: the one that is it, or the first.
    with pytest.raises(DuplicateKeyError) as error:
        Frame._get_collection().update_many({"number": {"$gte": 1}}, {"$set": document})
    assert error.value.code == 11000
    frames.assert_index_equals_collections()


def test_an_operator_that_is_none_is_the_error_of_one_update(frames, mongodb):
    def outcome(collection):
        with pytest.raises(Exception) as error:  # whatever PyMongo raises
            collection.update_many({}, {"$nonsense": {"number": 1}})
        return type(error.value), error.value.code

    mongodb["elsewhere"].insert_one({})
    assert outcome(Frame._get_collection()) == outcome(mongodb["elsewhere"])
    frames.assert_index_equals_collections()


@pytest.mark.parametrize(
    ("details", "kind"),
    [
        ({"writeErrors": [{"code": 11000, "errmsg": "twice"}]}, DuplicateKeyError),
        ({"writeErrors": [{"code": 121, "errmsg": "odd"}]}, WriteError),
        ({"writeConcernErrors": [{"code": 64, "errmsg": "late"}]}, WTimeoutError),
    ],
)
def test_errors_of_statements_are_those_of_one(details, kind):
    with pytest.raises(kind):
        _raise_as_one(BulkWriteError(details))
