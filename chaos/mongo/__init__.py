"""MongoEngine on MongoDB, for the crash tests."""

from chaos.mongo.primary import MongoPrimary
from chaos.primaries import Primary


def make() -> Primary:
    """What the crash tests know of it."""
    return MongoPrimary()
