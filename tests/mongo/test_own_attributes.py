"""What a document class calls ``secondary`` or ``primary`` stays what it is."""

from __future__ import annotations

import mongoengine as me
import pytest

from nefertari_engine_base import secondary_of
from nefertari_engine_base.engines import owner_of
from nefertari_engine_base.exceptions import UnknownModel
from tests.mongo.films import Films


class Rank(me.Document):
    """Has fields of these names."""

    primary = me.StringField()
    secondary = me.StringField()


class Methodical(me.Document):
    """Has other attributes of these names."""

    title = me.StringField()
    primary = "plain"

    def secondary(self):
        return f"second to {self.title}"


class LeftOut(me.Document):
    """Has a field of this name that its documents have not."""

    title = me.StringField()
    secondary = me.StringField()


class Plain(me.Document):
    title = me.StringField()


class Ranks(Films):
    models = (Rank, Methodical, LeftOut, Plain)

    def declare(self, config):
        for model in self.models:
            exclude = ("secondary",) if model is LeftOut else ()
            config.add_secondary(model, exclude=exclude)


@pytest.fixture
def ranks(mongodb):
    ranks = Ranks()
    yield ranks
    ranks.close()


def test_fields_of_these_names_are_stored_and_are_in_the_documents(ranks, mongodb):
    rank = Rank(primary="one", secondary="two").save()
    (raw,) = mongodb["rank"].find()
    assert (raw["primary"], raw["secondary"]) == ("one", "two")
    ranks.assert_index_equals_collections()
    document = ranks.index(Rank)[str(rank.pk)]
    assert (document["primary"], document["secondary"]) == ("one", "two")
    Rank.objects.update(set__secondary="three")
    ranks.assert_index_equals_collections()
    assert ranks.index(Rank)[str(rank.pk)]["secondary"] == "three"
    assert Rank.objects.get().secondary == "three"


def test_the_generated_class_is_found_without_them(ranks):
    for model in Ranks.models:
        document = secondary_of(model)
        assert document.__name__ == model.__name__
        assert ranks.engines.schema_of(document).model is model
        assert owner_of(document) is ranks.engines
    assert Plain.secondary is secondary_of(Plain)
    assert Plain.secondary.primary is Plain


def test_other_attributes_of_these_names_are_kept_and_the_documents_have_them(ranks):
    document = secondary_of(Methodical)({"title": "none"})
    assert Methodical(title="none").secondary() == "second to none"
    assert document.secondary() == "second to none"
    assert (Methodical.primary, document.primary) == ("plain", "plain")


def test_a_field_that_is_left_out_is_stored_all_the_same(ranks, mongodb):
    LeftOut(title="x", secondary="kept").save()
    (raw,) = mongodb["left_out"].find()
    assert raw["secondary"] == "kept"
    ranks.assert_index_equals_collections()
    assert not hasattr(secondary_of(LeftOut), "secondary")


def test_a_class_that_belongs_to_no_application_has_no_generated_class(mongodb):
    class Nowhere(me.Document):
        title = me.StringField()

    with pytest.raises(UnknownModel, match="@secondary"):
        secondary_of(Nowhere)


def test_a_second_application_makes_the_class_anew(ranks):
    first = Plain.secondary
    again = Ranks()
    try:
        assert Plain.secondary is not first
        assert Plain.secondary is secondary_of(Plain)
        assert Rank(secondary="kept").secondary == "kept"
    finally:
        again.close()
