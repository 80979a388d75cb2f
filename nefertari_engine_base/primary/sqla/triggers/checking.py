"""At the start of an application: are the triggers there that it relies on?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError

from nefertari_engine_base.exceptions import ConfigurationError, PrimaryError
from nefertari_engine_base.values import TriggerProblem, TriggerState

log = logging.getLogger(__name__)

ADVICE = (
    "With nefertari.capture = triggers the database tells of changes, and without them "
    "they would be lost. Run nefertari-es setup, or nefertari-es triggers install, or "
    "put what nefertari-es triggers sql prints into a migration."
)


def check(look: Callable[[], Sequence[TriggerState]], database: str) -> None:
    """See that no trigger is missing, outdated or disabled.

    Triggers that are left over are no reason not to start: they may be those of another
    version of the application. A database that does not answer may do so later; then
    nobody can write it either.

    :param look: tells what is there.
    :param database: as it is called in messages.
    :raises ConfigurationError: if a change could be lost.
    """
    try:
        states = look()
    except PrimaryError as error:
        if isinstance(error.__cause__, SQLAlchemyError):
            log.warning(
                "The triggers of %s could not be looked at: %s",
                database,
                error,
                extra={"action": "check triggers"},
            )
            return
        raise ConfigurationError(f"{error} {ADVICE}") from error
    fine = (None, TriggerProblem.LEFT_OVER)
    wrong = [state for state in states if state.problem not in fine]
    if wrong:
        shown = ", ".join(f"{s.name} of {s.table} is {s.problem}" for s in wrong[:3])
        more = f", and {len(wrong) - 3} more are not right" if len(wrong) > 3 else ""
        raise ConfigurationError(f"Triggers of {database}: {shown}{more}. {ADVICE}")
