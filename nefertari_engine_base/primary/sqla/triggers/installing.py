"""Triggers are put on tables, checked and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from types import ModuleType

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from zope.interface import implementer

from nefertari_engine_base.exceptions import PrimaryError
from nefertari_engine_base.interfaces import ITriggers
from nefertari_engine_base.primary.sqla.own_engines import OWN
from nefertari_engine_base.primary.sqla.triggers import (
    checking,
    own_tables,
    postgresql,
    sqlite,
)
from nefertari_engine_base.primary.sqla.triggers.captures import Capture
from nefertari_engine_base.primary.sqla.triggers.trigger import (
    Installed,
    Survey,
    Trigger,
)
from nefertari_engine_base.values import TriggerProblem, TriggerState

_DIALECTS: dict[str, ModuleType] = {"postgresql": postgresql, "sqlite": sqlite}

_Key = tuple[str, str]


@implementer(ITriggers)
class Triggers:
    """See :class:`~nefertari_engine_base.interfaces.ITriggers`.

    :param captures: what is to be captured at each table of the database.
    :param secondaries: names of the engines that entries are for.
    :param announces: whether entries wake workers.
    :param required: see :attr:`ITriggers.required`.
    """

    def __init__(
        self,
        engine: Engine,
        captures: Callable[[], Mapping[sa.Table, Sequence[Capture]]],
        secondaries: Sequence[str],
        *,
        announces: bool,
        required: bool = False,
    ) -> None:
        # It may lack the tables that deliveries ask: nobody is to ask for entries.
        self._engine = engine.execution_options(**{OWN: True})
        self._find_captures = captures
        self._secondaries = secondaries
        self._announces = announces
        self._dialect = _DIALECTS[engine.dialect.name]
        self.required = required

    @cached_property
    def _captures(self) -> Mapping[sa.Table, Sequence[Capture]]:
        return _by_name(self._find_captures())

    def install(self) -> Sequence[TriggerState]:
        """See :meth:`ITriggers.install`."""
        with self._begin() as connection:
            self._dialect.prepare(connection)
            survey, wanted = self._survey(connection)
            states = _states(wanted, survey.installed)
            needed = _needed(states, wanted, survey)
            _execute(connection, needed)
            if needed:
                # A trigger that fails would fail every write.
                trials = (trigger.trial for trigger in wanted.values())
                _execute(connection, list(dict.fromkeys(trials)))
            return states

    def check(self) -> Sequence[TriggerState]:
        """See :meth:`ITriggers.check`."""
        with self._begin() as connection:
            survey, wanted = self._survey(connection)
            return _states(wanted, survey.installed)

    def ensure(self) -> None:
        """See :meth:`ITriggers.ensure`."""

        def look() -> Sequence[TriggerState]:
            with self._begin() as connection:
                survey, wanted = self._survey(connection)
                if survey.outdated:
                    raise PrimaryError(
                        "nefertari_outbox does not tell which transaction has written "
                        "an entry."
                    )
                return _states(wanted, survey.installed, lenient=True)

        if self.required:
            url = self._engine.url.render_as_string(hide_password=True)
            checking.check(look, url.partition("?")[0])

    def remove(self) -> Sequence[TriggerState]:
        """See :meth:`ITriggers.remove`."""
        with self._begin() as connection:
            self._dialect.prepare(connection)
            survey = self._dialect.survey(connection, ())
            states = _states({}, survey.installed)
            _execute(connection, _needed(states, {}, survey))
            return states

    def script(self, *, remove: bool = False) -> Sequence[str]:
        """See :meth:`ITriggers.script`."""
        with self._begin() as connection:
            survey, wanted = self._survey(connection)
        if remove:
            triggers = [text for one in wanted.values() for text in one.drop]
            functions = [one.function for one in wanted.values() if one.function]
            drops = [f"DROP FUNCTION IF EXISTS {name}()" for name in functions]
            return list(dict.fromkeys([*triggers, *drops]))
        states = [
            replace(state, problem=state.problem or TriggerProblem.MISSING)
            for state in _states(wanted, survey.installed)
        ]
        tables = own_tables.statements(self._engine.dialect.name)
        return [*tables, *_needed(states, wanted, survey, afresh=True)]

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise PrimaryError(
                f"The database refused the work on triggers, and none was changed: "
                f"{error}"
            ) from error

    def _survey(self, connection: Connection) -> tuple[Survey, dict[_Key, Trigger]]:
        """What is there, and what should be."""
        survey: Survey = self._dialect.survey(connection, tuple(self._captures))
        return survey, {
            (trigger.table, trigger.name): trigger
            for table, captures in self._captures.items()
            for trigger in self._dialect.wanted(
                survey, table, captures, self._secondaries, self._announces
            )
        }


def _by_name(
    captures: Mapping[sa.Table, Sequence[Capture]],
) -> Mapping[sa.Table, Sequence[Capture]]:
    """Several Table objects, of MetaData each, can stand for one table: its triggers
    are named by it, and write the entries of all of them."""
    first: dict[tuple[str | None, str], sa.Table] = {}
    found: dict[sa.Table, list[Capture]] = {}
    for table, own in captures.items():
        known = first.setdefault((table.schema, table.name), table)
        found.setdefault(known, []).extend(own)
    return found


def _needed(
    states: Sequence[TriggerState],
    wanted: Mapping[_Key, Trigger],
    survey: Survey,
    *,
    afresh: bool = False,
) -> list[str]:
    """Statements that mend what is wrong, each of them once.

    :param afresh: whatever is there.
    """
    statements: list[str] = []
    for state in states:
        key = (state.table, state.name)
        if state.problem is TriggerProblem.LEFT_OVER:
            statements += survey.installed[key].drop
        elif state.problem is not None:
            statements += wanted[key].define
            found = survey.installed.get(key)
            # To replace what a trigger calls takes no lock on its table.
            if (
                afresh
                or state.problem is not TriggerProblem.DIFFERENT
                or found is None
                or not found.source
                or not found.function
                or found.function != wanted[key].function
            ):
                statements += wanted[key].attach
    called = {trigger.function for trigger in wanted.values()}
    statements += [
        drop for name, drop in survey.functions.items() if name not in called
    ]
    return list(dict.fromkeys(statements))


def _states(
    wanted: Mapping[_Key, Trigger],
    found: Mapping[_Key, Installed],
    *,
    lenient: bool = False,
) -> list[TriggerState]:
    """What is right and what is not, for each trigger, table by table.

    :param lenient: those of a process that wakes workers are right for one that does
        not, and the other way round.
    """
    return [
        TriggerState(*key, _problem(wanted.get(key), found.get(key), lenient))
        for key in sorted({*wanted, *found})
    ]


def _problem(
    wanted: Trigger | None, found: Installed | None, lenient: bool
) -> TriggerProblem | None:
    if wanted is None:
        return TriggerProblem.LEFT_OVER
    if found is None:
        return TriggerProblem.MISSING
    right = {wanted.source, wanted.alternative} if lenient else {wanted.source}
    if found.source not in right or found.function != wanted.function:
        return TriggerProblem.DIFFERENT
    return None if found.enabled else TriggerProblem.DISABLED


def _execute(connection: Connection, statements: Sequence[str]) -> None:
    has_formats = connection.dialect.paramstyle in ("format", "pyformat")
    for statement in statements:
        text = statement.replace("%", "%%") if has_formats else statement
        connection.exec_driver_sql(text)
