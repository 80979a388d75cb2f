"""Every interface of the base.

Engines meet only here: a primary never imports a secondary nor the other way round.
"""

from nefertari_engine_base.interfaces.capture import (
    IDependencyGraph,
    IPublisher,
    ITransactionLog,
)
from nefertari_engine_base.interfaces.delivery import (
    IClaim,
    IFailureHandler,
    IOutbox,
    ITriggers,
)
from nefertari_engine_base.interfaces.engines import (
    IEngines,
    IPrimaryEngine,
    ISecondaryEngine,
)
from nefertari_engine_base.interfaces.events import (
    IChangesCommitted,
    IDocumentChanged,
    IDocumentCreated,
    IDocumentDeleted,
    IDocumentsChanged,
    IDocumentUpdated,
    IInTransaction,
    ITableChanging,
)

__all__ = [
    "IInTransaction",
    "IDocumentChanged",
    "IDocumentCreated",
    "IDocumentUpdated",
    "IDocumentDeleted",
    "IDocumentsChanged",
    "ITableChanging",
    "IChangesCommitted",
    "IPrimaryEngine",
    "ISecondaryEngine",
    "IEngines",
    "IPublisher",
    "ITransactionLog",
    "IDependencyGraph",
    "IOutbox",
    "IClaim",
    "ITriggers",
    "IFailureHandler",
]
