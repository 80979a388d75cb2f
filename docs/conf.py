"""Build with ``make docs``. Nothing is fetched unless DOCS_INTERSPHINX=1 is set."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]

project = "nefertari-es"
author = "the nefertari-es contributors"
copyright = author
release = version = "1.0.dev0"

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "docstrings",
    "zope_interfaces",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = project
default_role = None

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"

# Off unless asked for: a machine that builds the documentation may be offline.
intersphinx_mapping = {}
if os.environ.get("DOCS_INTERSPHINX") == "1":
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "pyramid": ("https://docs.pylonsproject.org/projects/pyramid/en/latest", None),
        "sqlalchemy": ("https://docs.sqlalchemy.org/en/20", None),
    }

# What stands in signatures and docstrings and belongs to somebody else's
# documentation. Names of our own are never ignored.
nitpick_ignore_regex = [
    # Errors of nefertari, which is not there when these pages are made.
    (r"py:exc", r"JHTTP\w+"),
    # Projects; links to the first three lead somewhere with DOCS_INTERSPHINX=1.
    (
        r"py:.*",
        r"(pyramid|sqlalchemy|sa|zope|elasticsearch|elastic_transport|dsl"
        r"|prometheus_client|psycopg|pymongo|bson|mongoengine|nefertari)\..*",
    ),
    # The standard library.
    (
        r"py:.*",
        r"(abc|collections|concurrent|contextlib|datetime|decimal|enum|ipaddress|json"
        r"|threading|typing|uuid|weakref)(\..*)?",
    ),
    # The same, under the names by which the annotations of the modules call them.
    (
        r"py:.*",
        r"(AbstractContextManager|Any|Callable|Connection|Dialect|Elasticsearch|Engine"
        r"|Iterable|Iterator|Mapping|NoReturn|Registry|Request|Response|Select"
        r"|Sequence|Session|TypeEngine|Configurator|ColumnElement|Row|Decimal|date"
        r"|datetime|time|timedelta|scoped_session|sessionmaker|HttpHeaders|DefaultType"
        r"|NodeApiResponse|RelationshipProperty|Mapper|WeakKeyDictionary|ORMOption"
        r"|HasCacheKey(\..*)?|AsyncElasticsearch"
        r"|_ColumnExpressionOrLiteralArgument)",
    ),
    # Type variables of our own, which nobody documents.
    (r"py:.*", r"nefertari_\w+(\.\w+)*\.[A-Z]"),
]
nitpick_ignore = [
    # sync/capture.py means TouchDocuments, which was a function once.
]
