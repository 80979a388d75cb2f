"""Random writes of an application, each counted after it was made."""

from __future__ import annotations

from typing import Any

import mongoengine as me
from pymongo.errors import ConnectionFailure, DuplicateKeyError

from chaos.application import Application
from chaos.mongo.changes import Chooser, choose, is_crowded
from chaos.mongo.database import CHANGES
from chaos.mongo.models import Volume
from chaos.writer import Writer
from nefertari_engine_base.exceptions import PrimaryError


class MongoWriter(Writer):
    """Makes random writes."""

    clashes = (
        ConnectionFailure,
        DuplicateKeyError,
        me.DoesNotExist,
        me.NotUniqueError,
        me.errors.BulkWriteError,
        me.errors.SaveConditionError,
        PrimaryError,
    )
    outages = (ConnectionFailure, PrimaryError)

    def __init__(self, app: Application, number: int, seed: str) -> None:
        super().__init__(number, seed)
        self._chooser = Chooser(self.random)

    def is_crowded(self) -> bool:
        """See :meth:`Writer.is_crowded`."""
        return is_crowded()

    def transact(self) -> None:
        """See :meth:`Writer.transact`: every change is one of its own here."""
        change: Any = choose(self.random, crowded=self.crowded)
        try:
            if change(self._chooser):
                self._count(change.__name__)
        except PrimaryError as error:
            # Anything but an outage is a fault of what is judged here.
            if not isinstance(error.__cause__, ConnectionFailure):
                raise RuntimeError("An entry could not be stored.") from error
            raise

    def _count(self, kind: str) -> None:
        counted = {"writer": self.number, "kind": kind}
        Volume._get_db()[CHANGES].insert_one(counted)
