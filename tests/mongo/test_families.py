"""Classes that share a collection, or have one in another database."""

from __future__ import annotations

import mongoengine as me
import pytest
from pyramid.config import Configurator
from pyramid.exceptions import ConfigurationExecutionError

from nefertari_engine_base import engines_of
from nefertari_engine_base.primary.mongo import MongoDBEngine
from nefertari_engine_base.primary.mongo.loading import Loader
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.testing.memory import MemoryEngine


class Being(me.Document):
    meta = {"abstract": True}

    name = me.StringField()


class Animal(Being):
    """The root of a family; only some of the family have documents."""

    meta = {"allow_inheritance": True}


class Dog(Animal):
    trick = me.StringField()


class Puppy(Dog):
    age = me.IntField()


class Cat(Animal):
    pass


class Plant(me.Document):
    """Seen by two classes."""

    meta = {"collection": "plants"}

    name = me.StringField()
    height = me.IntField()


class Height(me.Document):
    meta = {"collection": "plants", "strict": False}

    height = me.IntField()


class Spaced(me.QuerySet):
    def tall(self):
        return self.filter(height__gt=10)


class Tree(me.Document):
    meta = {"db_alias": "elsewhere", "queryset_class": Spaced}

    name = me.StringField()
    height = me.IntField()
    plant = me.ReferenceField(Plant)

    @me.queryset_manager
    def oaks(doc_cls, queryset):  # noqa: N805 - MongoEngine's own convention
        return queryset.filter(name="oak")


class Families:
    def __init__(self, models):
        config = Configurator(settings={"nefertari.sync": "worker"})
        config.include("nefertari_engine_base")
        self.primary, self.secondary = MongoDBEngine(), MemoryEngine()
        config.add_primary_engine(self.primary)
        config.add_secondary_engine(self.secondary)
        for model, options in models.items():
            config.add_secondary(model, **options)
        config.commit()
        self.models = models
        self.engines = engines_of(config.registry)
        self.engines.setup_database()

    def index(self, model):
        drain(self.engines)
        schema = self.engines.schema_of(model)
        ids = [i for batch in self.secondary.ids_below(schema, 2**62) for i in batch]
        stored = self.secondary.stored(schema, ids)
        found = {id_: dict(one.source) for id_, one in zip(ids, stored, strict=True)}
        assert found.keys() == set(Loader(schema).list_ids(None, 100))
        return sorted(source.get("name") or "" for source in found.values())


@pytest.fixture
def families(mongodb):
    name = f"{mongodb.name}_elsewhere"
    host, port = mongodb.client.address
    me.register_connection(
        "elsewhere", name, host=host, port=port, uuidRepresentation="standard"
    )
    made = []

    def make(models):
        made.append(Families(models))
        return made[-1]

    yield make
    for one in made:
        one.engines.close()
    mongodb.client.drop_database(name)
    me.disconnect("elsewhere")


def test_what_a_class_without_documents_writes_is_followed_for_its_subclass(families):
    families = families({Dog: {}})
    Animal(name="any").save()
    Dog(name="Rex").save()
    Puppy(name="Tim").save()
    Cat(name="Tom").save()
    assert families.index(Dog) == ["Rex", "Tim"]
    Animal.objects(name="Rex").update(set__name="Max")
    assert families.index(Dog) == ["Max", "Tim"]
    Animal.objects.get(name="Max").delete()
    assert families.index(Dog) == ["Tim"]
    Animal.objects.delete()
    assert families.index(Dog) == []


def test_documents_of_a_class_and_of_its_subclass_are_both_followed(families):
    families = families({Animal: {}, Puppy: {}})
    Puppy(name="Tim").save()
    Cat(name="Tom").save()
    assert families.index(Animal) == ["Tim", "Tom"]
    assert families.index(Puppy) == ["Tim"]
    Dog.objects.update(set__name="Tip")
    assert families.index(Animal) == ["Tip", "Tom"]
    assert families.index(Puppy) == ["Tip"]


def test_a_subclass_that_is_declared_after_the_start_is_followed(families):
    families = families({Dog: {}})

    class Hound(Dog):
        pass

    try:
        Hound(name="late").save()
        assert families.index(Dog) == ["late"]
        Hound.objects.update(set__name="later")
        assert families.index(Dog) == ["later"]
    finally:
        Dog._subclasses = tuple(n for n in Dog._subclasses if "Hound" not in n)
        Animal._subclasses = tuple(n for n in Animal._subclasses if "Hound" not in n)


def test_two_classes_of_one_collection_follow_each_other(families):
    families = families({Plant: {}, Height: {}})
    plant = Plant(name="oak", height=3).save()
    assert families.index(Plant) == ["oak"]
    assert families.index(Height) == [""]
    Height.objects.update(inc__height=1)
    drain(families.engines)
    schema = families.engines.schema_of(Plant)
    (stored,) = families.secondary.stored(schema, [str(plant.pk)])
    assert stored.source["height"] == 4


def test_each_database_has_an_outbox_of_its_own(families):
    families = families({Plant: {}, Tree: {}})
    assert len(families.primary.outboxes()) == 2
    Plant(name="acorn").save()
    Tree(name="oak").save()
    assert [outbox.waiting() for outbox in families.primary.outboxes()] == [1, 1]
    assert families.index(Plant) == ["acorn"]
    assert families.index(Tree) == ["oak"]


def test_documents_of_another_database_cannot_be_embedded(families):
    with pytest.raises(ConfigurationExecutionError, match=r"Tree\.plant leads to"):
        families({Tree: {"nested": ("plant",)}})


def test_query_sets_and_managers_of_an_applications_own_are_followed(families):
    families = families({Tree: {}})
    Tree(name="oak", height=20).save()
    Tree(name="ash", height=5).save()
    Tree.oaks.update(set__name="OAK")
    assert families.index(Tree) == ["OAK", "ash"]
    Tree.objects.tall().delete()
    assert families.index(Tree) == ["ash"]
