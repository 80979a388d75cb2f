"""The database of an application of nefertari."""

from __future__ import annotations

from typing import Any

from pyramid.config import Configurator
from sqlalchemy.orm import configure_mappers

from nefertari_engine_base.compat.generating import add_documents
from nefertari_engine_base.engines import engines_of
from nefertari_engine_base.primary.sqla.contract import sessions
from nefertari_engine_base.primary.sqla.contract.base import Base, get_document_classes
from nefertari_engine_base.primary.sqla.engine import SQLAlchemyEngine


def setup_database(config: Configurator) -> None:
    """Give every model that wants them documents, and create tables and indices.

    Ramses calls it when its models are generated. What is added to a model afterwards,
    relations that lead back to it among them, is in no document.
    """
    config.commit()
    engines = engines_of(config.registry)
    engine: Any = engines.primaries[SQLAlchemyEngine.name]
    sessions.use(engine)
    configure_mappers()
    add_documents(engines, get_document_classes().values())
    Base.metadata.create_all(engine.engine)
    engines.setup_database()
