"""MongoEngine on MongoDB behind the interface of the crash tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from chaos import torments
from chaos.application import Application
from chaos.comparing import Documents
from chaos.mongo import models, trials, victim
from chaos.mongo.database import MongoDB
from chaos.mongo.expected import Expected
from chaos.mongo.models import Creator, Novelist, Painter, Place, Subject, Volume
from chaos.mongo.writer import MongoWriter
from chaos.torments import Often
from chaos.trials import keys_of
from nefertari_engine_base.engines import Engines


class MongoPrimary:
    """See :class:`~chaos.primaries.Primary`."""

    includes = "nefertari_engine_base.primary.mongo"
    indexed: Sequence[type[Any]] = models.INDEXED
    # It ends in good order and is not killed: the server of the tests loses what it has
    # acknowledged when it is killed.
    full: Mapping[str, Often] = {
        **torments.FULL,
        torments.DATABASE_FROZEN: Often(30),
        torments.DATABASE_RESTARTED: Often(60),
    }
    # A killed search server is the same to every primary, and slow to come back.
    short: Mapping[str, Often] = {
        name: often
        for name, often in torments.SHORT.items()
        if name != torments.ELASTICSEARCH_KILLED
    }
    faults = trials.FAULTS
    without_drain = trials.WITHOUT_DRAIN

    def settings(self, url: str) -> Mapping[str, object]:
        """See :meth:`Primary.settings`."""
        return {"mongodb.url": url}

    def declare(self, config: Any, version: str) -> None:
        """See :meth:`Primary.declare`."""
        models.declare(config, version)

    def application(self, engines: Engines) -> Application:
        """See :meth:`Primary.application`."""
        return Application(engines, self, "mongo")

    def fill(self, app: Application) -> None:
        """Make the documents of models whose number never changes, and some authors."""
        for number in range(8):
            Place(name=f"Place {number}").save()
        for number in range(12):
            Subject(name=f"Subject {number}").save()
        for number in range(4):
            Novelist(name=f"Novelist {number}").save()
            Painter(name=f"Painter {number}").save()

    def database(self, url: str, pooler_url: str | None = None) -> closing[MongoDB]:
        """See :meth:`Primary.database`: there is no pooler."""
        return closing(MongoDB(url))

    def writer(self, app: Application, number: int, seed: str) -> MongoWriter:
        """See :meth:`Primary.writer`."""
        return MongoWriter(app, number, seed)

    def victim(self, app: Application, number: int, how: str) -> Iterator[None]:
        """See :meth:`Primary.victim`."""
        return victim.write(number, how)

    def rows(
        self, app: Application, model: type[Any], numbers: Sequence[int] | None
    ) -> Documents:
        """See :meth:`Primary.rows`."""
        return Expected(Volume._get_db(), numbers).of(model.__name__)

    def judged(self, number: int) -> Mapping[type[Any], Sequence[int]]:
        """See :meth:`Primary.judged`."""
        keys = keys_of(number)
        return {Volume: keys, Creator: (number, keys[-1])}
