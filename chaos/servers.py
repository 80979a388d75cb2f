"""Servers that may be killed, since nobody else uses them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tools.servers import Server, Settings, start, url_variable


@dataclass(frozen=True)
class OwnServers:
    """Databases, by the names of :mod:`chaos.primaries`, and a search server."""

    databases: Mapping[str, Server]
    elasticsearch: Server


@contextmanager
def own_servers(*databases: str) -> Iterator[OwnServers]:
    """Start servers at the same time; whatever the environment names is ignored.

    :raises ServersError: where servers cannot be started.
    """
    names = (*databases, "elasticsearch")
    given = {url_variable(name) for name in names}
    environment = {k: v for k, v in os.environ.items() if k not in given}
    # What MongoDB has is kept when it is restarted.
    environment["NEFERTARI_SERVERS_MONGODB_STORAGE"] = "h2"
    settings = Settings.from_environment(environment)
    with ExitStack() as stack, ThreadPoolExecutor(len(names)) as pool:
        starts = [pool.submit(start, name, settings) for name in names]
        for started in starts:
            if started.exception() is None:
                stack.callback(started.result().stop)
        *found, elasticsearch = (started.result() for started in starts)
        yield OwnServers(dict(zip(databases, found, strict=True)), elasticsearch)
