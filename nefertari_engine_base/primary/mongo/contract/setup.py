"""The database of an application of nefertari."""

from __future__ import annotations

from pyramid.config import Configurator

from nefertari_engine_base.compat.generating import add_documents
from nefertari_engine_base.engines import engines_of
from nefertari_engine_base.primary.mongo.contract import relations
from nefertari_engine_base.primary.mongo.contract.registry import get_document_classes


def setup_database(config: Configurator) -> None:
    """Give every model that wants them documents, and create indexes and indices.

    Ramses calls it when its models are generated. What is added to a model afterwards,
    relations that lead back to it among them, is in no document.

    :raises ConfigurationError: if a relation leads to no model.
    """
    config.commit()
    engines = engines_of(config.registry)
    relations.check_all_connected()
    add_documents(engines, get_document_classes().values())
    engines.setup_database()
