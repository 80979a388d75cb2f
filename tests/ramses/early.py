"""What an application may have imported before it is configured.

An old client of Elasticsearch lets it import nefertari's own module. Today's does, once
it has the class that the module extends. ``pytest -p`` loads this before anything else.
"""

from __future__ import annotations

import elasticsearch

elasticsearch.Urllib3HttpConnection = object

import ramses.acl  # noqa: E402
from nefertari import elasticsearch as module  # noqa: E402
from nefertari.elasticsearch import ES  # noqa: E402

assert module.__file__.endswith("nefertari/elasticsearch.py")
assert ramses.acl.ES is ES
