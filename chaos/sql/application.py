"""The application with its data in SQL."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from pyramid.settings import asbool
from sqlalchemy.orm import Session

from chaos.application import Application
from chaos.primaries import Primary
from nefertari_engine_base.engines import Engines


class SQLApplication(Application):
    """The engines of the application, and its sessions."""

    def __init__(self, engines: Engines, kind: Primary) -> None:
        super().__init__(engines, kind, "sqla")
        self.database: sa.Engine = self.primary.engine

    @property
    def has_triggers(self) -> bool:
        """Whether changes that no session hears of are followed here."""
        settings = self.engines.registry.settings
        return bool(asbool(settings.get("chaos.triggers")))

    def install_triggers(self) -> None:
        """Follow changes that no session hears of."""
        for triggers in self.primary.triggers(tuple(self.engines.secondaries)):
            triggers.install()

    def session(self, **options: Any) -> Session:
        """A session of the unit of work."""
        return Session(self.database, **options)

    def close(self) -> None:
        """Close the engines, and the connections to the database."""
        super().close()
        self.database.dispose()
