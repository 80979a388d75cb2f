"""The kit of MongoEngine's engine: the models of the suites, how they are written."""

from __future__ import annotations

from contextlib import contextmanager

import mongoengine as me
import pytest
from pymongo.collection import Collection

from nefertari_engine_base import Queryable
from nefertari_engine_base.primary.mongo import MongoDBEngine
from nefertari_engine_base.testing.primary_kit import EntryFirstKit


class Country(me.Document):
    meta = {"collection": "suite_country"}

    id = me.IntField(primary_key=True)
    name = me.StringField()


class Genre(me.Document):
    meta = {"collection": "suite_genre"}

    id = me.IntField(primary_key=True)
    name = me.StringField()


class Person(Queryable, me.Document):
    meta = {"collection": "suite_person", "indexes": ["country"]}

    id = me.IntField(primary_key=True)
    name = me.StringField()
    notes = me.StringField()
    country = me.ReferenceField(Country, reverse_delete_rule=me.NULLIFY)


class Film(Queryable, me.Document):
    meta = {"collection": "suite_film", "indexes": ["director", "genres"]}

    id = me.IntField(primary_key=True)
    title = me.StringField()
    notes = me.StringField()
    year = me.IntField()
    rating = me.FloatField()
    gross = me.Decimal128Field()
    released = me.DateField()
    published = me.BooleanField(default=True)
    director = me.ReferenceField(Person, reverse_delete_rule=me.NULLIFY)
    genres = me.ListField(me.ReferenceField(Genre, reverse_delete_rule=me.PULL))


_REFERRED = {"country": Country, "director": Person}


class MongoKit(EntryFirstKit):
    """MongoEngine's documents in the default connection, which somebody else has made
    and closes."""

    models = {model.__name__: model for model in (Country, Genre, Person, Film)}
    clashes = (me.OperationError,)

    def make_engine(self):
        return MongoDBEngine()

    def is_published(self, model):
        return me.Q(published=True)

    # --- writing

    def create(self, model, fields):
        return model(**_values(fields)).save(force_insert=True)

    def change(self, model, key, fields):
        instance = model.objects(pk=key).first()
        if instance is not None:
            for name, value in _values(fields).items():
                setattr(instance, name, value)
            instance.save()
        return instance

    def delete(self, model, key):
        instance = model.objects(pk=key).first()
        if instance is not None:
            instance.delete()
        return instance

    def create_many(self, model, rows):
        model.objects.insert([model(**_values(row)) for row in rows], load_bulk=False)

    def change_where(self, model, field, value, fields):
        changes = {f"set__{name}": value for name, value in _values(fields).items()}
        model.objects(**{field: value}).update(**changes)

    def delete_where(self, model, field, value):
        model.objects(**{field: value}).delete()

    # --- what else

    @contextmanager
    def intercepted(self, *, before=None, after=None):
        plain = Collection.update_many

        def update_many(collection, *args, **options):
            # The outbox is written by the same method.
            if not collection.name.startswith("suite_"):
                return plain(collection, *args, **options)
            if before is not None:
                before()
            result = plain(collection, *args, **options)
            if after is not None:
                after()
            return result

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Collection, "update_many", update_many)
            yield

    def forget(self):
        """Instances are read anew each time."""

    def pass_time(self, outbox, seconds):
        now = outbox.collections.now
        outbox.collections.now = lambda: now() + seconds


def _values(fields):
    """Instances in place of the keys of references."""
    values = dict(fields)
    for name, model in _REFERRED.items():
        if values.get(name) is not None:
            values[name] = model.objects.get(pk=values[name])
    if "genres" in values:
        values["genres"] = [Genre.objects.get(pk=key) for key in values["genres"]]
    return values
