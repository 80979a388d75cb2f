"""Servers that may be killed, since nobody else uses them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tools.servers import Server, Settings, start, url_variable

NAMES = ("postgresql", "elasticsearch")


@dataclass(frozen=True)
class OwnServers:
    """A database and a search server."""

    postgresql: Server
    elasticsearch: Server


@contextmanager
def own_servers() -> Iterator[OwnServers]:
    """Start both servers at the same time; whatever the environment names is ignored.

    :raises ServersError: where servers cannot be started.
    """
    given = {url_variable(name) for name in NAMES}
    environment = {k: v for k, v in os.environ.items() if k not in given}
    settings = Settings.from_environment(environment)
    with ExitStack() as stack, ThreadPoolExecutor(len(NAMES)) as pool:
        starts = [pool.submit(start, name, settings) for name in NAMES]
        for started in starts:
            if started.exception() is None:
                stack.callback(started.result().stop)
        yield OwnServers(*(started.result() for started in starts))
