"""The conformance suite of secondary engines.

A package with an engine runs it from its own tests, with pytest::

    class TestMyEngine(SecondaryEngineSuite):
        @pytest.fixture
        def engine(self):
            engine = MyEngine(...)      # with no documents, and nothing attached
            yield engine
            engine.close()

Every test is one sentence of what :class:`~..interfaces.ISecondaryEngine` promises.
"""

from __future__ import annotations

from nefertari_engine_base.testing.secondary_access import AccessSuite
from nefertari_engine_base.testing.secondary_comparing import ComparingSuite
from nefertari_engine_base.testing.secondary_documents import DocumentsSuite
from nefertari_engine_base.testing.secondary_searching import SearchingSuite
from nefertari_engine_base.testing.secondary_values import ValuesSuite
from nefertari_engine_base.testing.secondary_writing import WritingSuite


class SecondaryEngineSuite(
    WritingSuite,
    ValuesSuite,
    DocumentsSuite,
    SearchingSuite,
    ComparingSuite,
    AccessSuite,
):
    """Subclass it and provide the fixture ``engine``; see the module."""
