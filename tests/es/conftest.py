"""Engines on each search server, with indices that are removed after the test."""

from __future__ import annotations

import pytest

from nefertari_es.engine import ElasticsearchEngine
from nefertari_es.settings import ElasticsearchSettings


@pytest.fixture
def make_engine(search_url, index_prefix):
    """Function that makes engines on one prefix, from more settings."""
    engines = []

    def make(**settings) -> ElasticsearchEngine:
        settings = {"index_prefix": index_prefix, "request_timeout": 60.0, **settings}
        engine = ElasticsearchEngine(
            ElasticsearchSettings(hosts=(search_url,), **settings)
        )
        engines.append(engine)
        return engine

    yield make
    cleaner = make()
    found = cleaner.client.indices.get(index=f"{index_prefix}*").body
    if found:
        cleaner.client.indices.delete(index=",".join(found))
    for engine in engines:
        engine.close()


@pytest.fixture
def search_engine(make_engine) -> ElasticsearchEngine:
    """An engine with nothing attached, small chunks and small pages."""
    return make_engine(scan_size=100, bulk_documents=300)
