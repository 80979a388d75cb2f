"""The recorded forms of documents in a SQL database; see :mod:`~.sync.forms`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy import text
from sqlalchemy.engine import Connection, Engine

from nefertari_engine_base.primary.sqla.asking import fetch
from nefertari_engine_base.primary.sqla.texts import FORMS

_RECORD = text(
    "INSERT INTO nefertari_form (model, form) VALUES (:model, :form) "
    "ON CONFLICT (model) DO UPDATE SET form = excluded.form"
)
_FORGET = text("DELETE FROM nefertari_form WHERE model = :model")


def recorded_forms(connection: Connection) -> dict[str, str]:
    """The form of each model's documents, as the connection sees them now."""
    return dict(fetch(connection, FORMS, {}))


class Forming:
    """What :class:`IOutbox` says of forms."""

    engine: Engine

    def translated_errors(self) -> AbstractContextManager[None]:
        """Errors of the database as one of the family. :raises PrimaryError:"""
        raise NotImplementedError

    def recorded_forms(self) -> Mapping[str, str]:
        """See :meth:`IOutbox.recorded_forms`."""
        with self.translated_errors(), self.engine.connect() as connection:
            return recorded_forms(connection)

    def record_forms(self, forms: Mapping[str, str]) -> None:
        """See :meth:`IOutbox.record_forms`."""
        # In one order, so that two setups do not wait for each other.
        rows = [{"model": model, "form": forms[model]} for model in sorted(forms)]
        with self._changing() as connection:
            connection.execute(_RECORD, rows)

    def forget_form(self, model: str) -> bool:
        """See :meth:`IOutbox.forget_form`."""
        with self._changing() as connection:
            return connection.execute(_FORGET, {"model": model}).rowcount > 0

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        with self.translated_errors(), self.engine.begin() as connection:
            yield connection
