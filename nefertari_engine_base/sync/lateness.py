"""Writes that come too late.

The versions of deleted documents keep late writes from bringing them back. A search
server forgets these versions in time, and when it is restarted. So nothing is sent that
was loaded too long ago, as a process would that stood still, or whose machine slept: it
is loaded again. A process that stands still between its look at the clock and the
server's answer finds that out afterwards, and has the document delivered once more.

What is left are requests that are on their way for as long, and processes that die
after they have stood still; see :mod:`.deletions`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from nefertari_engine_base.clock import elapsed
from nefertari_engine_base.exceptions import EngineError
from nefertari_engine_base.interfaces import IOutbox
from nefertari_engine_base.values import Outcome, Touch, WriteResult

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines

_log = logging.getLogger(__name__)

#: Seconds after which what was loaded is too old to be sent, unless
#: ``nefertari.sync.claim_timeout`` says otherwise.
LONGEST = 60.0


def latest(engines: Engines) -> float:
    """Until when, by :func:`~nefertari_engine_base.clock.elapsed`, may be sent what is
    loaded from now on."""
    return elapsed() + (engines.settings.claim_timeout or LONGEST)


def repeat_late(
    outbox: IOutbox, secondary: str, model: str, results: Iterable[WriteResult]
) -> None:
    """Have the documents delivered once more that were written late."""
    late = [result.id for result in results if result.outcome is Outcome.LATE]
    why = "were written late, since this process stood still"
    deliver_anew(outbox, secondary, model, late, why)


def deliver_anew(
    outbox: IOutbox, secondary: str, model: str, ids: Sequence[str], why: str
) -> None:
    """Have documents delivered once more, and log it, if there are any.

    :param why: what has become of them, for the log.
    :raises PrimaryError: if the database does not take their entries.
    """
    if ids:
        _log.warning(
            "%d documents of %s %s; they are delivered once more.",
            len(ids),
            model,
            why,
            extra={"action": "deliver_anew", "model": model},
        )
        outbox.add(Touch(secondary, model, id_) for id_ in ids)


def check_progress(written: Iterable[tuple[object, Sequence[WriteResult]]]) -> None:
    """See that anything was sent in time.

    :raises EngineError: if all of it was too old, however often it was loaded.
    """
    outcomes = {one.outcome for _, results in written for one in results}
    if outcomes == {Outcome.EXPIRED}:
        raise EngineError(
            "Documents are too old to be sent when they are loaded. Lower "
            "nefertari.sync.batch_size, or raise nefertari.sync.claim_timeout."
        )
