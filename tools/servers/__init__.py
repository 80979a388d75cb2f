"""The real servers that tests, benchmarks and the demo need.

>>> from tools.servers import running
>>> with running("elasticsearch", "postgresql") as urls:  # doctest: +SKIP
...     print(urls["postgresql"])

Only the standard library is used, so that this runs before anything is installed. The
same from a shell: ``python -m tools.servers --help``.
"""

from tools.servers.errors import (
    MissingDependency,
    NotOurServer,
    ServerFailed,
    ServersError,
)
from tools.servers.launch import running, start
from tools.servers.server import Server
from tools.servers.settings import NAMES, Settings, url_variable

__all__ = [
    "NAMES",
    "MissingDependency",
    "NotOurServer",
    "Server",
    "ServerFailed",
    "ServersError",
    "Settings",
    "running",
    "start",
    "url_variable",
]
