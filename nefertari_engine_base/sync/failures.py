"""What is done with failures that nobody waits for: the default handler."""

from __future__ import annotations

import logging
from typing import Any

from pyramid.registry import Registry
from zope.interface import implementer

from nefertari_engine_base.exceptions import EngineError
from nefertari_engine_base.interfaces import IFailureHandler
from nefertari_engine_base.values import Debt, DocumentRef

log = logging.getLogger(__name__)


@implementer(IFailureHandler)
class LoggingFailureHandler:
    """Logs every failure, with references and without contents."""

    def delivery_failed(self, error: BaseException, waiting: int) -> None:
        """Log at WARNING: nothing is lost, and a later delivery makes up for it. What
        nobody has foreseen at ERROR, with the traceback."""
        foreseen = isinstance(error, EngineError)
        log.log(
            logging.WARNING if foreseen else logging.ERROR,
            "Delivery put off, %d entries wait in the outbox: %s",
            waiting,
            error,
            exc_info=None if foreseen else error,
            extra={"action": "delivery_failed"},
        )

    def document_refused(self, ref: DocumentRef, reason: str, final: bool) -> None:
        """Log at ERROR: somebody has to look at this document."""
        log.error(
            "The index refused %s %s%s: %s",
            ref.model,
            ref.id,
            ", which is a dead letter now" if final else "",
            reason,
            extra={"action": "document_refused"},
        )

    def subscriber_failed(self, error: BaseException, event: Any) -> None:
        """Log at ERROR with the traceback."""
        log.error(
            "A subscriber of %s failed after the commit",
            type(event).__name__,
            exc_info=error,
            extra={"action": "subscriber_failed"},
        )

    def index_lost(self, debt: Debt) -> None:
        """Log at WARNING: searches lack documents until somebody catches up."""
        log.warning(
            "%s: %s. Run `nefertari-es catch-up %s`, after `nefertari-es setup` if the "
            "index is missing.",
            debt.model,
            debt.reason,
            debt.model,
            extra={"action": "index_lost"},
        )


_DEFAULT = LoggingFailureHandler()


def handler(registry: Registry) -> IFailureHandler:
    """The application's failure handler, else the one that logs."""
    found: IFailureHandler = registry.queryUtility(IFailureHandler, default=_DEFAULT)
    return found
