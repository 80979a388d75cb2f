"""Every ini key of the base, read once into a frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pyramid.settings import asbool, aslist

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.sync.suspension import NOTHING as NOTHING_SUSPENDED
from nefertari_engine_base.sync.suspension import Suspension


class SyncMode(StrEnum):
    """Who delivers the changes."""

    #: The process that committed, right after its commit; what fails is left to
    #: a worker.
    INLINE = "inline"
    #: ``nefertari-es worker`` alone.
    WORKER = "worker"
    #: Nobody; the changes stay known and are delivered once this is switched on.
    OFF = "off"


class Uncaptured(StrEnum):
    """What becomes of a statement that cannot be followed exactly."""

    #: It is executed, and the models that it may concern are synchronised again.
    RESYNC = "resync"
    #: It is not executed, or its transaction cannot be committed.
    REFUSE = "refuse"


class CaptureMode(StrEnum):
    """Who tells of changes in a SQL database."""

    #: The sessions of this process.
    SESSION = "session"
    #: The database, whoever changes it.
    TRIGGERS = "triggers"


class Visibility(StrEnum):
    """What a commit waits for, beyond what its mode does anyway."""

    #: Nothing.
    ASYNC = "async"
    #: Until the index has the changes; reads by id find them.
    WRITTEN = "written"
    #: Until searches find them.
    VISIBLE = "visible"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """What the application's settings say of the base.

    :attr engines: ``nefertari.engine``: dotted names of the engines to include, the
        primary first. Default: none, engines are included by the application.
    :attr sync: ``nefertari.sync``: ``inline``, ``worker`` or ``off``. Default
        ``inline``.
    :attr capture: ``nefertari.capture``: who tells of changes in a SQL database:
        ``session`` or ``triggers``. Default ``session``.
    :attr suspended: ``nefertari.sync.suspended``: names of models whose documents do
        not follow changes that this process makes, which are owed; ``*`` for all. See
        :mod:`nefertari_engine_base.sync.suspension`. Default: none.
    :attr uncaptured: ``nefertari.uncaptured``: what becomes of a statement whose
        changes cannot be followed exactly: ``resync`` has workers synchronise the
        models that it may concern, ``refuse`` raises an error. Default ``resync``.
    :attr check_interval: ``nefertari.sync.check_interval``: seconds between two looks
        of a worker at the indices, whether they have lost what they held; see
        :mod:`nefertari_engine_base.sync.losses`. Default 30.
    :attr visibility: ``nefertari.sync.visibility``: what a commit waits for:
        ``async``, ``written`` or ``visible``; ``request.sync_visibility`` and the
        context :func:`~nefertari_engine_base.sync.visibility.visibility` override it.
        Default ``async``.
    :attr visibility_timeout: ``nefertari.sync.visibility_timeout``: seconds that such
        a commit waits at most. Default 5.
    :attr query_secondary: ``nefertari.query_secondary``: whether collection queries
        go to the secondary unless told otherwise. Default true.
    :attr fallback: ``nefertari.fallback``: whether a query that the primary can
        answer goes there while the secondary cannot be reached. Default true.
    :attr batch_size: ``nefertari.sync.batch_size``: outbox entries of one delivery.
        Default 500.
    :attr inline_limit: ``nefertari.sync.inline_limit``: outbox entries that one commit
        delivers inline; the rest is left to a worker. The entry of an embedded row
        counts as one, and delivers up to ``batch_size`` documents. Default 1000.
    :attr notify: ``nefertari.sync.notify``: whether commits wake an idle worker, in the
        mode ``worker`` and where the database can. Default true.
    :attr poll_interval: ``nefertari.sync.poll_interval``: seconds between two looks of
        an idle worker at the outbox. Default 0.5.
    :attr documents_per_second: ``nefertari.sync.documents_per_second``: how many
        documents one worker writes in a second at most; 0 for no limit. Default 0.
    :attr max_attempts: ``nefertari.sync.max_attempts``: refusals of one document
        until it becomes a dead letter. Default 10.
    :attr retry_delay: ``nefertari.sync.retry_delay``: seconds until a refused
        document is tried again, doubled by each refusal up to an hour. Default 5.
    :attr pause_after_failure: ``nefertari.sync.pause_after_failure``: seconds during
        which this process leaves deliveries to a worker once the secondary could not
        be reached, so that commits do not wait for a dead server. Default 5.
    :attr claim_timeout: ``nefertari.sync.claim_timeout``: seconds that PostgreSQL waits
        for the next word of a delivery that has claimed entries; then they are
        everybody's again. 0: for ever. Default 60.
    :attr statement_timeout: ``nefertari.sync.statement_timeout``: seconds that a
        statement of a delivery may take on PostgreSQL. 0: any. Default 300.
    :attr connection_timeout: ``nefertari.sync.connection_timeout``: seconds after which
        PostgreSQL and a delivery take each other for gone that do not answer. 0: as the
        system says. Default 60.
    :attr deletes_checked_after: ``nefertari.sync.deletes_checked_after``: seconds after
        which a process that has deleted documents looks whether they are there again;
        see :mod:`nefertari_engine_base.sync.deletions`. 0: never. Default 120.
    """

    engines: tuple[str, ...] = ()
    sync: SyncMode = SyncMode.INLINE
    capture: CaptureMode = CaptureMode.SESSION
    suspended: Suspension = NOTHING_SUSPENDED
    uncaptured: Uncaptured = Uncaptured.RESYNC
    check_interval: float = 30.0
    visibility: Visibility = Visibility.ASYNC
    visibility_timeout: float = 5.0
    query_secondary: bool = True
    fallback: bool = True
    batch_size: int = 500
    inline_limit: int = 1000
    notify: bool = True
    poll_interval: float = 0.5
    documents_per_second: float = 0.0
    max_attempts: int = 10
    retry_delay: float = 5.0
    pause_after_failure: float = 5.0
    claim_timeout: float = 60.0
    statement_timeout: float = 300.0
    connection_timeout: float = 60.0
    deletes_checked_after: float = 120.0

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> EngineSettings:
        """Read the keys. :raises ConfigurationError: for a bad value."""
        return cls(
            engines=tuple(aslist(settings.get("nefertari.engine", ()))),
            sync=_sync_mode(settings.get("nefertari.sync", "inline")),
            capture=capture_of(settings.get("nefertari.capture", "session")),
            suspended=_suspension(settings.get("nefertari.sync.suspended", ())),
            uncaptured=_uncaptured(settings.get("nefertari.uncaptured", "resync")),
            check_interval=read_number(
                settings, "nefertari.sync.check_interval", 30.0, minimum=0.01
            ),
            visibility=visibility_of(
                settings.get("nefertari.sync.visibility", "async")
            ),
            visibility_timeout=read_number(
                settings, "nefertari.sync.visibility_timeout", 5.0
            ),
            query_secondary=asbool(settings.get("nefertari.query_secondary", True)),
            fallback=asbool(settings.get("nefertari.fallback", True)),
            batch_size=read_integer(settings, "nefertari.sync.batch_size", 500),
            inline_limit=read_integer(settings, "nefertari.sync.inline_limit", 1000),
            notify=asbool(settings.get("nefertari.sync.notify", True)),
            poll_interval=read_number(
                settings, "nefertari.sync.poll_interval", 0.5, minimum=0.01
            ),
            documents_per_second=read_number(
                settings, "nefertari.sync.documents_per_second", 0.0
            ),
            max_attempts=read_integer(settings, "nefertari.sync.max_attempts", 10),
            retry_delay=read_number(settings, "nefertari.sync.retry_delay", 5.0),
            pause_after_failure=read_number(
                settings, "nefertari.sync.pause_after_failure", 5.0
            ),
            claim_timeout=read_number(settings, "nefertari.sync.claim_timeout", 60.0),
            statement_timeout=read_number(
                settings, "nefertari.sync.statement_timeout", 300.0
            ),
            connection_timeout=read_number(
                settings, "nefertari.sync.connection_timeout", 60.0
            ),
            deletes_checked_after=read_number(
                settings, "nefertari.sync.deletes_checked_after", 120.0
            ),
        )


def _sync_mode(value: str) -> SyncMode:
    try:
        return SyncMode(str(value).strip().lower())
    except ValueError:
        modes = ", ".join(SyncMode)
        raise ConfigurationError(
            f"nefertari.sync = {value!r}: expected one of {modes}."
        ) from None


def _uncaptured(value: str) -> Uncaptured:
    try:
        return Uncaptured(str(value).strip().lower())
    except ValueError:
        words = ", ".join(Uncaptured)
        raise ConfigurationError(
            f"nefertari.uncaptured = {value!r}: expected one of {words}."
        ) from None


def capture_of(word: object) -> CaptureMode:
    """The capture of this name. :raises ConfigurationError: if there is none."""
    try:
        return CaptureMode(str(word).strip().lower())
    except ValueError:
        words = ", ".join(CaptureMode)
        raise ConfigurationError(
            f"nefertari.capture = {str(word)!r}: expected one of {words}."
        ) from None


def _suspension(value: Any) -> Suspension:
    names = frozenset(aslist(value))
    return Suspension(names - {"*"}, all="*" in names)


def visibility_of(word: object) -> Visibility:
    """The level of this name. :raises ConfigurationError: if there is none."""
    try:
        return Visibility(str(word).strip().lower())
    except ValueError:
        levels = ", ".join(Visibility)
        raise ConfigurationError(
            f"sync visibility {str(word)!r}: expected one of {levels}."
        ) from None


def read_integer(
    settings: Mapping[str, Any], key: str, default: int, *, minimum: int = 1
) -> int:
    """An integer setting. :raises ConfigurationError: unless at least ``minimum``."""
    number = read_number(settings, key, default, minimum=minimum)
    if number != int(number):
        raise ConfigurationError(f"{key} = {settings[key]!r}: expected an integer.")
    return int(number)


def read_number(
    settings: Mapping[str, Any], key: str, default: float, *, minimum: float = 0
) -> float:
    """A number. :raises ConfigurationError: unless at least ``minimum``."""
    value = settings.get(key, default)
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not minimum <= number < float("inf"):
        raise ConfigurationError(
            f"{key} = {value!r}: expected a number of at least {minimum}."
        )
    return number
