"""Access control lists in MongoDB."""

from __future__ import annotations

import mongoengine as me
import pytest

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import QueryError
from nefertari_engine_base.primary.mongo import querying
from nefertari_engine_base.primary.mongo.access import AccessListField
from nefertari_engine_base.primary.mongo.loading import to_dict
from nefertari_engine_base.primary.mongo.schema import describe
from nefertari_engine_base.query.restriction import restricted
from nefertari_engine_base.schema import SecondaryOptions
from nefertari_engine_base.testing.secondary_access import (
    access_of,
    accesses,
    random_lists,
    verdict,
)
from nefertari_engine_base.testing.workbench import where
from nefertari_engine_base.values import Query
from nefertari_engine_base.values.access import Access, Entry


class Drawer(me.Document):
    number = me.IntField(primary_key=True)
    label = me.StringField()
    acl = AccessListField(db_field="a")


class Slip(me.EmbeddedDocument):
    text = me.StringField()
    acl = AccessListField()


class Sheet(me.Document):
    number = me.IntField(primary_key=True)
    acl = AccessListField(db_field="a")
    drawer = me.ReferenceField(Drawer)
    slip = me.EmbeddedDocumentField(Slip)


MINE = [Entry("allow", "ada", "view").as_dict()]
OURS = [*MINE, Entry("allow", "bob", "view").as_dict()]
NESTED = ("drawer", "slip")
SCHEMA = describe(Sheet, SecondaryOptions.of(nested=NESTED), lambda model: None)


def numbers(query: Query, access: Access) -> list[int]:
    query = restricted(SCHEMA, query, access)
    found = [sheet.number for sheet in querying.search(SCHEMA, query)]
    assert querying.count(SCHEMA, query) == len(found)
    return found


def test_a_field_of_lists_is_one():
    assert SCHEMA.fields["acl"].kind is Kind.ACL
    assert SCHEMA.guarded
    assert SCHEMA.relations["drawer"].is_guarded


def test_mongodb_finds_what_pyramid_permits(mongodb):
    lists = random_lists(150)
    Sheet.objects.insert([Sheet(number=n, acl=acl) for n, acl in enumerate(lists)])
    Sheet(number=1000).save()
    Sheet._get_collection().insert_one({"_id": 1001, "a": None})
    for access in accesses(20):
        expected = [n for n, acl in enumerate(lists) if verdict(acl, access)]
        assert numbers(Query(limit=None), access) == expected
    entry = Entry("allow", "ada", "view")
    query = Query(filters=(where("acl", entry),), limit=None)
    expected = [n for n, acl in enumerate(lists) if entry.as_dict() in acl]
    assert [sheet.number for sheet in querying.search(SCHEMA, query)] == expected


def test_principals_are_no_expressions_of_mongodb(mongodb):
    Sheet(number=1, acl=MINE).save()
    assert numbers(Query(), access_of("ada")) == [1]
    assert numbers(Query(), access_of("$a.principal", "$$entry.principal")) == []


def test_what_is_asked_of_a_referenced_document_is_asked_of_one_that_is_seen(mongodb):
    secret = Drawer(number=1, label="secret", acl=MINE).save()
    Sheet(number=1, acl=OURS, drawer=secret).save()
    by_label = Query(filters=(where("drawer.label", "secret"),))
    assert numbers(by_label, access_of("ada")) == [1]
    assert numbers(by_label, access_of("bob")) == []


def test_lists_inside_of_a_document_are_left_to_the_secondary(mongodb):
    by_text = Query(filters=(where("slip.text", "x"),))
    with pytest.raises(QueryError, match="ask the secondary"):
        numbers(by_text, access_of("ada"))


def test_a_list_is_in_the_document_with_what_would_decide_before(mongodb):
    acl = [Entry("deny", "bob", "view").as_dict(), *MINE]
    document = to_dict(SCHEMA, Sheet(number=1, acl=acl))
    assert SCHEMA.fields["acl"].decode(document["acl"]) == acl
    assert document["acl"][1]["unless"] == ["4 view bob"]


def test_what_is_no_list_is_not_saved(mongodb):
    with pytest.raises(me.ValidationError):
        Sheet(number=1, acl=[{"action": "allow"}]).save()
