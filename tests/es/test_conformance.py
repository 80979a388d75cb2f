"""The engine keeps the promises of a secondary engine, on each server."""

from __future__ import annotations

import pytest

from nefertari_engine_base.testing.secondary_suite import SecondaryEngineSuite


class TestElasticsearchEngine(SecondaryEngineSuite):
    @pytest.fixture
    def engine(self, search_engine):
        return search_engine
