"""SQLAlchemy on PostgreSQL behind the interface of the crash tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, cast

import orjson
import sqlalchemy as sa

from chaos import torments
from chaos.application import Application
from chaos.comparing import Documents
from chaos.sql import models, trials, victim
from chaos.sql.application import SQLApplication
from chaos.sql.database import CLAIM_TIMEOUT, PostgreSQL
from chaos.sql.models import Author, Book, Country, Tag
from chaos.sql.writer import SQLWriter
from chaos.trials import keys_of
from nefertari_engine_base.engines import Engines


class SQLPrimary:
    """See :class:`~chaos.primaries.Primary`."""

    includes = "nefertari_engine_base.primary.sqla"
    indexed: Sequence[type[Any]] = models.INDEXED
    full: Mapping[str, torments.Often] = {
        **torments.FULL,
        torments.DATABASE_KILLED: torments.Often(60, most=1),
    }
    short = torments.SHORT
    faults = trials.FAULTS
    without_drain = trials.WITHOUT_DRAIN

    def settings(self, url: str) -> Mapping[str, object]:
        """See :meth:`Primary.settings`."""
        return {"sqlalchemy.url": url, "nefertari.sync.claim_timeout": CLAIM_TIMEOUT}

    def declare(self, config: Any, version: str) -> None:
        """See :meth:`Primary.declare`."""
        models.declare(config, version)

    def application(self, engines: Engines) -> Application:
        """See :meth:`Primary.application`."""
        return SQLApplication(engines, self)

    def fill(self, app: Application) -> None:
        """Make the rows of models whose number never changes, and the triggers."""
        app = cast(SQLApplication, app)
        with app.session() as session:
            session.add_all(Country(name=f"Country {number}") for number in range(8))
            session.add_all(Tag(name=f"Tag {number}") for number in range(12))
            session.commit()
        if app.has_triggers:
            app.install_triggers()

    def database(self, url: str, pooler_url: str | None = None) -> closing[PostgreSQL]:
        """See :meth:`Primary.database`."""
        return closing(PostgreSQL(url, pooler_url))

    def writer(self, app: Application, number: int, seed: str) -> SQLWriter:
        """See :meth:`Primary.writer`."""
        return SQLWriter(cast(SQLApplication, app), number, seed)

    def victim(self, app: Application, number: int, how: str) -> Iterator[None]:
        """See :meth:`Primary.victim`."""
        return victim.WRITES[how](cast(SQLApplication, app), number)

    def rows(
        self, app: Application, model: type[Any], numbers: Sequence[int] | None
    ) -> Documents:
        """See :meth:`Primary.rows`: rows are loaded as fresh instances."""
        statement = sa.select(model)
        if numbers is not None:
            statement = statement.where(sa.inspect(model).primary_key[0].in_(numbers))
        with cast(SQLApplication, app).session() as session:
            return {
                app.primary.document_id(row): _as_json(app.primary.to_dict(row))
                for row in session.scalars(statement)
            }

    def judged(self, number: int) -> Mapping[type[Any], Sequence[int]]:
        """See :meth:`Primary.judged`."""
        keys = keys_of(number)
        return {Book: keys, Author: (number, keys[-1])}


def _as_json(document: Mapping[str, Any]) -> dict[str, Any]:
    # A document is stored as JSON, which for example has no decimals.
    decoded: dict[str, Any] = orjson.loads(orjson.dumps(dict(document)))
    return decoded
