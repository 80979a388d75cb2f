"""Nefertari's field classes on MongoDB: what they take, keep, and find again."""

from __future__ import annotations

import datetime
from decimal import Decimal

import mongoengine as me
import pytest
from bson import Decimal128, ObjectId

from nefertari_engine_base.primary import mongo as engine


def tick():
    return datetime.datetime(2026, 1, 1)  # noqa: DTZ001 - as MongoDB has it


class Sample(engine.BaseDocument):
    id = engine.IdField(primary_key=True)
    big = engine.BigIntegerField()
    binary = engine.BinaryField(length=3)
    boolean = engine.BooleanField()
    choice = engine.ChoiceField(choices=["a", "b"])
    date = engine.DateField()
    moment = engine.DateTimeField()
    decimal = engine.DecimalField(scale=2, max_value=1000, help_text="ignored")
    dict_ = engine.DictField(name="dictionary")
    float_ = engine.FloatField(min_value=0)
    integer = engine.IntegerField(max_value=9)
    interval = engine.IntervalField()
    list_ = engine.ListField(item_type=engine.IntegerField, choices=[1, 2])
    pickle = engine.PickleField()
    small = engine.SmallIntegerField()
    string = engine.StringField(min_length=2, max_length=3)
    text = engine.TextField()
    time = engine.TimeField()
    unicode = engine.UnicodeField(default="ü")
    unicode_text = engine.UnicodeTextField()
    unique = engine.StringField(unique=True)
    created = engine.DateTimeField(default=tick)
    changed = engine.DateTimeField(onupdate=tick)


class Needy(engine.BaseDocument):
    name = engine.StringField(primary_key=True, unique=True)
    title = engine.StringField(required=True)


#: Field, what a request brings, what the attribute has, what MongoDB has.
VALUES = [
    ("big", "9007199254740993", 2**53 + 1, 2**53 + 1),
    ("binary", "AAEC", b"\0\1\2", b"\0\1\2"),
    ("boolean", "true", True, True),
    ("choice", "a", "a", "a"),
    (
        *("date", "2026-02-18T12:00:00Z", datetime.date(2026, 2, 18)),
        "2026-02-18",
    ),
    (
        *("moment", "2026-02-18T12:30:00.123456+01:00",),
        datetime.datetime(2026, 2, 18, 11, 30, 0, 123000),  # noqa: DTZ001
        datetime.datetime(2026, 2, 18, 11, 30, 0, 123000),  # noqa: DTZ001
    ),
    ("decimal", "1.005", Decimal("1.00"), Decimal128("1.00")),
    ("dict_", {"a": {"b": 1}}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ("float_", "0.5", 0.5, 0.5),
    ("integer", "7", 7, 7),
    ("interval", 90061, datetime.timedelta(1, 3661), 90061),
    ("interval", 0.5, datetime.timedelta(0, 0.5), 0.5),
    ("list_", ["1", 2], [1, 2], [1, 2]),
    ("small", 3, 3, 3),
    ("string", "abc", "abc", "abc"),
    ("text", "", "", ""),
    ("time", "18:30:00", datetime.time(18, 30), "18:30:00"),
    ("unicode", None, None, None),
    ("unicode_text", "ü", "ü", "ü"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given", "value", "stored"), VALUES)
def test_a_value_is_converted_when_it_is_set_and_comes_back(
    mongodb, name, given, value, stored
):
    made = Sample(**{name: given})
    assert getattr(made, name) == value
    changed = Sample().save()
    setattr(changed, name, given)
    assert getattr(changed, name) == value
    for one in (made, changed):
        one.save()
        raw = mongodb.sample.find_one({"_id": one.pk})
        assert raw.get("dictionary" if name == "dict_" else name) == stored
        assert getattr(Sample.objects.get(pk=one.pk), name) == value
    if value is not None and name != "dict_":
        assert Sample.objects(**{name: given}).count() == 2


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        *(("big", 2**63), ("big", "x"), ("big", 1.5), ("binary", "AAE!")),
        *(("boolean", "maybe"), ("choice", "c"), ("date", "soon"), ("moment", 5)),
        *(("decimal", "x"), ("decimal", 1001), ("decimal", "1e-40x"), ("dict_", [])),
        *(("float_", -1), ("integer", 10), ("interval", "long"), ("list_", [3])),
        *(("list_", "1"), ("string", "a"), ("string", "abcd"), ("string", 12)),
        *(("time", "late"), ("id", "nonsense")),
    ],
)
def test_a_wrong_value_is_refused_when_it_is_set(name, wrong):
    with pytest.raises(ValueError, match=f"Field `{name}`"):
        Sample(**{name: wrong})
    made = Sample()
    with pytest.raises(ValueError, match=f"Field `{name}`"):
        setattr(made, name, wrong)


def test_what_is_added_to_a_list_is_checked_when_it_is_saved(mongodb):
    made = Sample(list_=[1])
    made.list_.append(3)
    with pytest.raises(me.ValidationError, match="list_"):
        me.Document.save(made)


def test_a_list_and_an_object_are_empty_by_default():
    made = Sample()
    assert (made.list_, made.dict_) == ([], {})
    made.list_.append(1)
    assert Sample().list_ == []


def test_a_default_stands_for_what_is_not_given_and_not_for_nothing(mongodb):
    assert (Sample().unicode, Sample().created) == ("ü", tick())
    empty = Sample(unicode=None, created=None).save()
    assert (empty.unicode, empty.created) == (None, None)
    assert Sample.objects.get(pk=empty.pk).unicode is None
    empty.string = "abc"
    empty.save()
    assert (empty.created, empty.changed) == (None, tick())


def test_an_update_is_stamped_and_a_new_document_is_not(mongodb):
    made = Sample().save()
    assert made.changed is None
    made.save()
    assert Sample.objects.get(pk=made.pk).changed is None
    made.string = "abc"
    assert made.save().changed == tick()


def test_any_number_of_documents_may_lack_a_unique_value(mongodb):
    Sample().save()
    Sample().save()
    Sample(unique="a").save()
    with pytest.raises(me.NotUniqueError):
        me.Document.save(Sample(unique="a"))


def test_a_document_of_a_taken_key_replaces_none(mongodb):
    Needy(name="a", title="old").save()
    with pytest.raises(me.NotUniqueError):
        me.Document.save(Needy(name="a", title="new"), force_insert=True)
    with pytest.raises(me.ValidationError, match="title"):
        me.Document.save(Needy(name="b"))


def test_an_object_of_python_comes_back(mongodb):
    value = {"when": tick(), "what": {1, 2}}
    made = Sample(pickle=value).save()
    assert Sample.objects.get(pk=made.pk).pickle == value


def test_values_of_nefertari_mongodb_are_read(mongodb):
    mongodb.sample.insert_one({"_id": ObjectId(), "decimal": 0.1, "_version": 3})
    assert Sample.objects.get().decimal == Decimal("0.1")


def test_fields_know_what_they_were_made_from():
    assert Sample.get_field_params("string")["max_length"] == 3
    assert Sample.get_field_params("nonsense") is None
    assert (Sample.pk_field(), Needy.pk_field()) == ("id", "name")
    assert Needy.pk_field_type() is engine.StringField
    assert Sample.get_null_values().keys() == set(Sample.native_fields())


def test_a_foreign_key_has_a_rule_that_is_known():
    with pytest.raises(KeyError, match="ref_ondelete"):
        engine.ForeignKeyField(ref_document="Needy", ref_ondelete="EXPLODE")
