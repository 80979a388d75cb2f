"""Nefertari's relations on MongoDB: what is stored, and that both sides agree."""

from __future__ import annotations

import mongoengine as me
import pytest
from pyramid.config import Configurator

from nefertari_engine_base import engines_of
from nefertari_engine_base.compat.generating import add_documents
from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.primary import mongo as engine
from nefertari_engine_base.primary.mongo.contract import relations
from nefertari_engine_base.primary.mongo.contract.registry import get_document_classes
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.testing.memory import MemoryEngine

KEY = {"ref_document": "Cook", "ref_column_type": engine.StringField}


# What a model leads to is there before it, as Ramses makes them.
class Meal(engine.ESBaseDocument):
    id = engine.IdField(primary_key=True)
    title = engine.StringField()
    cook_id = engine.ForeignKeyField(**KEY)
    taster_id = engine.ForeignKeyField(**KEY)


class Diary(engine.ESBaseDocument):
    id = engine.IdField(primary_key=True)
    cook_id = engine.ForeignKeyField(ref_column="cook.name")


class Spoon(engine.ESBaseDocument):
    id = engine.IdField(primary_key=True)


class Ingredient(engine.ESBaseDocument):
    name = engine.StringField(primary_key=True)


class Cook(engine.ESBaseDocument):
    __tablename__ = "cook"
    _nested_relationships = ("diary",)
    name = engine.StringField(primary_key=True)
    age = engine.IntegerField()
    meals = engine.Relationship(
        document="Meal", backref_name="cook", foreign_keys="Meal.cook_id"
    )
    tasted = engine.Relationship(
        document="Meal", backref_name="taster", foreign_keys="Meal.taster_id"
    )
    diary = engine.Relationship(
        document="Diary", uselist=False, backref_name="cook"
    )  # fmt: skip
    spoons = engine.Relationship(document="Spoon", backref_name="owner")
    likes = engine.Relationship(
        document="Ingredient", backref_name="liked_by", backref_uselist=True
    )
    teacher = engine.Relationship(document="Cook", uselist=False)


class Apron(engine.BaseDocument):
    """Leads to what is there, and has what leads to what is not there yet."""

    id = engine.IdField(primary_key=True)
    cook = engine.Relationship(
        document="Cook", uselist=False, backref_name="apron", backref_uselist=False
    )
    washer = engine.Relationship(document="Washer", uselist=False)


class Washer(engine.BaseDocument):
    id = engine.IdField(primary_key=True)


@pytest.fixture
def cooks(mongodb):
    return [Cook(name=name).save() for name in "ab"]


def raw(mongodb, instance):
    return mongodb[instance._get_collection_name()].find_one({"_id": instance.pk})


def test_keys_are_stored_where_a_foreign_key_says(mongodb, cooks):
    meal = Meal(title="t", cook=cooks[0]).save()
    assert meal.cook_id == "a"
    assert raw(mongodb, meal) == {"_id": meal.id, "title": "t", "cook_id": "a"}
    assert raw(mongodb, cooks[0]) == {"_id": "a"}
    other = Meal(cook_id="b").save()
    assert other.cook == cooks[1]
    assert cooks[1].meals == [other]


def test_keys_are_stored_on_the_side_of_many_under_the_name_of_the_relation(
    mongodb, cooks
):
    spoon = Spoon(owner=cooks[0]).save()
    assert raw(mongodb, spoon) == {"_id": spoon.id, "owner": "a"}
    cooks[0].likes = [Ingredient(name="salt").save()]
    cooks[0].teacher = cooks[1]
    cooks[0].save()
    assert raw(mongodb, cooks[0]) == {"_id": "a", "likes": ["salt"], "teacher": "b"}


def test_a_key_has_an_index(mongodb):
    for model in (Meal, Spoon, Cook):
        model.ensure_indexes()
    first = {
        next(iter(index["key"]))[0]
        for name in ("meal", "spoon", "cook")
        for index in mongodb[name].index_information().values()
    }
    assert first >= {"cook_id", "taster_id", "owner", "likes", "teacher"}


def test_one_of_many_is_set_from_either_side(mongodb, cooks):
    a, b = cooks
    one, two = Meal(title="1").save(), Meal(title="2").save()
    a.meals = [one, two]
    a.save()
    assert [Meal.objects.get(pk=m.pk).cook for m in (one, two)] == [a, a]
    b.meals.append(two)
    b.save()
    assert (a.meals, b.meals) == ([one], [two])
    two = Meal.objects.get(pk=two.pk)
    two.cook = None
    two.save()
    assert b.meals == []
    a.meals.remove(one)
    a.save()
    assert Meal.objects.get(pk=one.pk).cook is None


def test_a_list_that_was_read_before_can_still_be_changed(cooks):
    meals = cooks[0].meals
    assert cooks[0].meals == []
    meals.append(Meal(title="new"))
    cooks[0].save()
    assert [meal.title for meal in cooks[0].meals] == ["new"]


def test_two_relations_to_a_model_are_two(cooks):
    a, b = cooks
    meal = Meal(cook=a, taster=b).save()
    assert (a.meals, a.tasted, b.meals, b.tasted) == ([meal], [], [], [meal])


def test_one_of_one_replaces_another(mongodb, cooks):
    a, b = cooks
    first, second = Diary().save(), Diary(cook=b).save()
    a.diary = first
    a.save()
    assert Diary.objects.get(pk=first.pk).cook == a
    a.diary = second
    a.save()
    assert (a.diary, b.diary) == (second, None)
    assert Diary.objects.get(pk=first.pk).cook is None
    a.diary = None
    a.save()
    assert Diary.objects(cook_id="a").count() == 0


def test_many_of_many_is_set_from_either_side(cooks):
    a, b = cooks
    salt, oil = (Ingredient(name=name).save() for name in ("salt", "oil"))
    a.likes = [salt, oil]
    a.save()
    assert (salt.liked_by, oil.liked_by) == ([a], [a])
    salt.liked_by = [b]
    salt.save()
    assert [Cook.objects.get(pk=name).likes for name in "ab"] == [[oil], [salt]]
    Ingredient(name="rice", liked_by=[a, Cook(name="c")]).save()
    assert [cook.name for cook in Ingredient.objects.get(pk="rice").liked_by] == [
        *("a", "c"),
    ]


def test_what_is_not_saved_yet_is_saved_with_it(mongodb):
    cook = Cook(name="new", meals=[Meal(title="1")], likes=[Ingredient(name="oil")])
    cook.save()
    assert [meal.title for meal in Cook.objects.get().meals] == ["1"]
    assert Cook.objects.get().likes == [Ingredient.objects.get()]
    meal = Meal(title="2", cook=Cook(name="other")).save()
    assert Meal.objects.get(pk=meal.pk).cook.name == "other"
    assert Cook.objects.count() == 2
    third, cook = Meal(title="3"), Cook(name="third")
    third.cook, cook.meals = cook, [third]
    third.save()
    assert (Meal.objects(title="3").count(), Cook.objects.count()) == (1, 3)


def test_keys_will_do_for_what_they_are_the_keys_of(cooks):
    meal = Meal(cook="a").save()
    assert meal.cook == cooks[0]
    cooks[1].meals = [meal.pk]
    cooks[1].save()
    assert Meal.objects.get().cook == cooks[1]


def test_what_is_gone_is_not_there(mongodb, cooks):
    meal = Meal(cook=cooks[0]).save()
    mongodb.cook.delete_one({"_id": "a"})
    assert Meal.objects.get(pk=meal.pk).cook is None


@pytest.mark.parametrize(
    "delete", [lambda a: a.delete(), lambda a: Cook.objects(name="a").delete()]
)
def test_a_deleted_document_is_referred_to_no_more(mongodb, cooks, delete):
    a, _ = cooks
    meal = Meal(cook=a).save()
    salt = Ingredient(name="salt", liked_by=[a]).save()
    delete(a)
    assert raw(mongodb, meal) == {"_id": meal.id}
    salt.delete()
    Cook(name="c", likes=[Ingredient(name="oil").save()]).save()
    Ingredient.objects.delete()
    assert mongodb.cook.find_one({"_id": "c"})["likes"] == []


def family(rule, **key):
    """A model that others refer to with a rule, and that one."""
    name = f"{rule}{len(key)}".title().replace("_", "")
    namespace = {"id": engine.IdField(primary_key=True)}
    if key:
        namespace["parent_id"] = engine.ForeignKeyField(
            ref_document=f"Parent{name}", ref_ondelete=rule, **key
        )
    child = type(engine.BaseDocument)(f"Child{name}", (engine.BaseDocument,), namespace)
    relation = engine.Relationship(
        document=f"Child{name}",
        backref_name="parent",
        **({} if key else {"backref_ondelete": rule}),
    )
    namespace = {"id": engine.IdField(primary_key=True), "children": relation}
    parent = type(engine.BaseDocument)(
        f"Parent{name}", (engine.BaseDocument,), namespace
    )
    return child, parent


@pytest.mark.parametrize("key", [{}, {"ref_column_type": engine.IdField}])
def test_a_rule_says_what_becomes_of_who_refers_to_what_is_deleted(mongodb, key):
    child, parent = family("CASCADE", **key)
    child(parent=parent().save()).save()
    parent.objects.delete()
    assert child.objects.count() == 0
    child, parent = family("RESTRICT", **key)
    child(parent=parent().save()).save()
    with pytest.raises(me.OperationError, match="refers to it"):
        parent.objects.delete()
    assert parent.objects.count() == 1
    if not key:
        child, parent = family("DO_NOTHING")
        child(parent=parent().save()).save()
        parent.objects.delete()
        assert child.objects.get()._parent_key is not None


def test_a_relation_waits_for_its_model(mongodb):
    washer = Washer().save()
    apron = Apron(washer=washer).save()
    assert Apron.objects.get(pk=apron.pk).washer == washer
    assert engine.get_relationship_cls("washer", Apron) is Washer


def test_a_relation_to_no_model_is_a_mistake():
    class Lonely(engine.BaseDocument):
        id = engine.IdField(primary_key=True)
        other = engine.Relationship(document="Nowhere")

    with pytest.raises(ConfigurationError, match=r"Lonely\.other leads to 'Nowhere'"):
        relations.check_all_connected()
    relations._WAITING.clear()


def test_keys_that_could_be_of_several_relations_are_a_mistake():
    with pytest.raises(ConfigurationError, match="several keys of Cook"):

        class Judge(engine.BaseDocument):
            id = engine.IdField(primary_key=True)
            first_id = engine.ForeignKeyField(**KEY)
            second_id = engine.ForeignKeyField(**KEY)
            first = engine.Relationship(document="Cook", uselist=False)

    relations._WAITING.clear()


def test_a_name_is_given_once():
    with pytest.raises(ConfigurationError, match="'age' already"):

        class Student(engine.BaseDocument):
            id = engine.IdField(primary_key=True)
            cook = engine.Relationship(
                document="Cook", uselist=False, backref_name="age"
            )


def test_relations_are_told_from_other_fields():
    assert engine.is_relationship_field("cook", Meal)
    assert engine.is_relationship_field("apron", Cook)
    assert not engine.is_relationship_field("cook_id", Meal)
    assert not engine.is_relationship_field("nonsense", Meal)
    assert engine.get_relationship_cls("liked_by", Ingredient) is Cook
    assert Cook.native_fields()[:2] == ["name", "age"]
    assert Spoon.native_fields() == ["id", "owner"]


class Token(engine.BaseDocument):
    id = engine.IdField(primary_key=True)
    holder = engine.Relationship(
        document="Holder", uselist=False, backref_name="token", backref_uselist=False
    )


class Holder(engine.BaseDocument):
    name = engine.StringField(primary_key=True)


Token.autogenerate_for(Holder, "holder")


def test_what_every_instance_has_is_made_with_it(mongodb):
    holder = Holder(name="a").save()
    token = holder.token
    assert token.holder == holder
    holder.save()
    assert Token.objects.count() == 1
    Holder(name="b", token=Token()).save()
    assert Token.objects.count() == 2


@pytest.fixture
def index(mongodb):
    """Of a model's key: its document in the index, when all is delivered."""
    config = Configurator(settings={"nefertari.sync": "worker"})
    config.include("nefertari_engine_base")
    config.add_primary_engine(engine.MongoDBEngine())
    secondary = MemoryEngine()
    config.add_secondary_engine(secondary)
    config.commit()
    engines = engines_of(config.registry)
    add_documents(engines, get_document_classes().values())
    engines.setup_database()

    def shown(instance):
        drain(engines)
        schema = engines.schemas[type(instance).__name__]
        (found,) = secondary.stored(schema, [schema.document_id([instance.pk])])
        return None if found is None else found.source

    yield shown
    engines.close()


def test_documents_show_keys_and_nested_documents_and_follow_them(index):
    cook = Cook(name="a", age=1).save()
    diary = Diary(cook=cook).save()
    meal = Meal(title="t", cook=cook).save()
    assert index(cook) == {
        "name": "a",
        "age": 1,
        "meals": [{"id": str(meal.id)}],
        "tasted": [],
        "diary": {"id": str(diary.id), "cook_id": "a", "cook": {"name": "a"}},
        "spoons": [],
        "likes": [],
        "teacher": None,
        "apron": None,
    }
    assert index(meal)["cook"] == {"name": "a"}
    apron = Apron(cook=cook).save()
    assert index(cook)["apron"] == {"id": str(apron.id)}
    other = Cook(name="b", meals=[meal]).save()
    assert (index(cook)["meals"], len(index(other)["meals"])) == ([], 1)
    assert index(meal)["cook_id"] == "b"
    other.delete()
    assert (index(meal)["cook"], index(meal)["cook_id"]) == (None, None)
    apron.delete()
    assert index(cook)["apron"] is None
    Diary.objects.delete()
    assert index(cook)["diary"] is None
