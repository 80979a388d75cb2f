"""Start-up can say which indexes of MongoDB look-ups want."""

from __future__ import annotations

import mongoengine as me
import pytest

from nefertari_engine_base.primary.mongo.indexes import missing_indexes
from nefertari_engine_base.primary.mongo.schema import describe
from nefertari_engine_base.schema import Nested, SecondaryOptions
from tests.mongo.models import Film


def missing(model, *nested, **how):
    options = SecondaryOptions.of(nested={path: Nested(**how) for path in nested})
    schema = describe(model, options, lambda model: None)
    return {(one.model, one.path): one for one in missing_indexes([schema])}


def test_every_reference_on_the_way_wants_an_index(mongodb):
    found = missing(Film, "cast", "pointer", "awards.country", "director.mentor")
    assert found.keys() == {
        ("Film", "cast"),
        ("Film", "pointer.$id"),
        ("Film", "awards.c"),
        ("Person", "mentor"),
    }
    message = str(found["Film", "awards.c"])
    assert 'db.film.createIndex({"awards.c": 1})' in message


def test_what_has_an_index_wants_none(mongodb):
    # Both are in the meta of their classes, under the names of the attributes.
    assert missing(Film, "director.birth.country") == {}


def test_an_index_serves_by_its_first_key_alone(mongodb):
    class Sheet(me.Document):
        meta = {"indexes": [("film", "rival")]}
        film = me.ReferenceField(Film)
        rival = me.ReferenceField(Film)

    assert missing(Sheet, "film", "rival").keys() == {("Sheet", "rival")}


@pytest.mark.parametrize(("reindex", "count"), [("link", 1), ("never", 0)])
def test_what_is_never_followed_back_wants_none(mongodb, reindex, count):
    assert len(missing(Film, "cast", reindex=reindex)) == count
