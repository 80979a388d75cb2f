"""Documents of MongoEngine: ``use = call:tests.cli.mongo_application:main``."""

import mongoengine as me
from pyramid.config import Configurator

from nefertari_engine_base import Queryable


class Owner(me.Document):
    name = me.StringField()


class Boat(Queryable, me.Document):
    meta = {"indexes": ["owner"]}

    name = me.StringField()
    length = me.IntField()
    owner = me.ReferenceField(Owner)


def configured(settings):
    """The configuration of the application, completed."""
    config = Configurator(settings=settings)
    config.include("nefertari_engine_base")
    config.add_secondary(Boat, nested=("owner",))
    config.commit()
    return config


def main(global_config, **settings):
    """An application without views."""
    return configured(settings).make_wsgi_app()
