"""Starting servers by their names, one or several at once."""

import logging
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import contextmanager
from threading import Event

from tools.servers.elasticsearch import Elasticsearch
from tools.servers.errors import ServersError
from tools.servers.mongodb import MongoDB
from tools.servers.opensearch import OpenSearch
from tools.servers.pgbouncer import PgBouncer
from tools.servers.postgresql import PostgreSQL
from tools.servers.recipe import Recipe
from tools.servers.server import ExternalServer, OwnServer, Server
from tools.servers.settings import Settings, url_variable

log = logging.getLogger(__name__)

_RECIPES: Mapping[str, type[Recipe]] = {
    "elasticsearch": Elasticsearch,
    "opensearch": OpenSearch,
    "postgresql": PostgreSQL,
    "mongodb": MongoDB,
    "pgbouncer": PgBouncer,
}


def recipe_of(name: str, settings: Settings) -> Recipe:
    """Return the recipe of the server ``name``.

    :raises ServersError: if there is no such server.
    """
    if name not in _RECIPES:
        raise ServersError(
            f"There is no server {name!r}. Choose from: {', '.join(_RECIPES)}."
        )
    return _RECIPES[name](settings)


def start(
    name: str, settings: Settings | None = None, abandoned: Event | None = None
) -> Server:
    """Start one server, wait until it serves, and return it.

    If the environment gives its URL, that server is returned without being asked.

    :param settings: by default, those of the environment.
    :param abandoned: when it is set, the server that is just starting is stopped, and
        this raises ``ServersError``.
    :raises MissingDependency: if something has to be installed first.
    :raises ServerFailed: if the server dies, or is not ready in time.
    """
    settings = settings or Settings.from_environment()
    recipe = recipe_of(name, settings)
    if url := settings.urls.get(name):
        log.info("%s is given by its URL, %s", name, url)
        return ExternalServer(name, url)
    if sys.platform != "linux":
        raise ServersError(
            f"Servers are only started on Linux. Start {name} with `docker compose up "
            f"--wait {name}`, and set {url_variable(name)} to its URL."
        )
    return OwnServer(name, recipe, abandoned or Event())


@contextmanager
def running(*names: str, settings: Settings | None = None) -> Iterator[dict[str, str]]:
    """Run servers while the block runs; yield their URLs by name.

    They start at the same time. All of them are stopped in the end, also when the block
    raises, and when one of them does not start.
    """
    settings = settings or Settings.from_environment()
    servers = _start_together(tuple(dict.fromkeys(names)), settings)
    try:
        yield {server.name: server.url for server in servers}
    finally:
        _stop_together(servers)


def _start_together(names: tuple[str, ...], settings: Settings) -> list[Server]:
    abandoned = Event()
    with ThreadPoolExecutor(max_workers=len(names) or 1) as pool:
        starts = [pool.submit(start, name, settings, abandoned) for name in names]
        try:
            # In the order in which they end: the first failure is the one to tell,
            # and makes an end of the others.
            for ended in as_completed(starts):
                ended.result()
        except BaseException:
            abandoned.set()
            _stop_together(_successes(starts))
            raise
    return [done.result() for done in starts]


def _successes(starts: list[Future[Server]]) -> list[Server]:
    wait(starts)
    return [done.result() for done in starts if not done.exception()]


def _stop_together(servers: list[Server]) -> None:
    with ThreadPoolExecutor(max_workers=len(servers) or 1) as pool:
        for stopped in [pool.submit(server.stop) for server in servers]:
            stopped.result()
