"""``make demo``: load the films, index them, compare, tour, and serve.

``ELASTICSEARCH_URL`` and ``DATABASE_URL`` name servers to use. Without them an
Elasticsearch is started for the time of the demo, and the database is a file that is
removed in the end. ``make demo PRIMARY=mongodb`` is on MongoDB: on the database that
``MONGODB_URL`` names, or on a server for the time of the demo.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import waitress
from elasticsearch import ApiError, TransportError
from pyramid.router import Router
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)

from examples.movies import load, main
from examples.movies.compare import compare
from examples.movies.data import read_films
from examples.movies.database import database_of
from examples.movies.source import FilmsMissing, find_films
from examples.movies.tour import Tour
from nefertari_engine_base import EngineError, Engines, engines_of
from nefertari_engine_base.sync.worker import drain
from nefertari_engine_base.values import DeliveryReport
from tools.servers import ServersError, running

PORT = 6543

#: The kinds of databases.
SQL, MONGODB = "sql", "mongodb"

#: The indices of a database that is kept; the same as in ``development.ini`` and
#: ``mongodb.ini``.
KEPT_PREFIXES = {SQL: "movies", MONGODB: "movies-mongodb"}

#: What the demo starts for each kind of database, unless there is one.
_SERVERS: Mapping[str, Sequence[str]] = {SQL: (), MONGODB: (MONGODB,)}

_SHOWN_DIFFERENCES = 10


class Demo:
    """What the demo does, in its order."""

    def __init__(self, engines: Engines, console: Console) -> None:
        self.engines = engines
        self.database = database_of(engines.registry)
        self.console = console

    def run(self) -> bool:
        """Everything but serving. Whether all of it held."""
        self._load()
        self._index()
        held = self._compare()
        self._heading("A tour")
        return Tour(self.engines, self.console).run() and held

    def _load(self) -> None:
        self._heading("Films")
        database = self.database
        if rows := database.count(database.models.Movie):
            self.console.print(f"  {rows:,} are in the database already")
            return
        begun = time.perf_counter()
        films, repairs = read_films(find_films())
        database.load(films)
        self.console.print(
            f"  {len(films):,} loaded into {database.name} in {_since(begun)}, "
            f"{repairs.total} values mended:"
        )
        for rule, number in repairs.counts.most_common():
            self.console.print(f"  [dim]{number:5}  {rule}[/]")

    def _index(self) -> None:
        self._heading("Index")
        begun = time.perf_counter()
        with _progress(self.console) as progress:
            models = load.indexed(self.engines)
            total = sum(self.database.count(model) for model in models)
            task = progress.add_task("  documents", total=total)

            def advance(report: DeliveryReport) -> None:
                progress.advance(task, report.written + report.superseded)

            report = load.index_films(self.engines, advance)
        self.console.print(f"  {report.written:,} written in {_since(begun)}")
        for ref, reason in report.errors[:_SHOWN_DIFFERENCES]:
            text = f"  ✗ {ref.model} {ref.id}: {reason}"
            self.console.print(text, style="red", markup=False)
        # What the load has left to workers is indexed by now, and waits for nobody.
        drain(self.engines)

    def _compare(self) -> bool:
        begun = time.perf_counter()
        found = compare(self.engines)
        mark = "[red]✗[/]" if found.differences else "[green]✓[/]"
        self.console.print(
            f"  {mark} {found.fields:,} fields of {found.documents:,} documents are "
            f"compared with their rows\n    in {_since(begun)}: "
            f"{len(found.differences) or 'no'} differences"
        )
        for difference in found.differences[:_SHOWN_DIFFERENCES]:
            self.console.print(f"    {difference}", style="red", markup=False)
        return not found.differences

    def _heading(self, text: str) -> None:
        self.console.print(f"\n[b]{text}[/b]")


def _since(begun: float) -> str:
    return f"{time.perf_counter() - begun:.1f} s"


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=36),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


# --- an application for the time of the demo ---------------------------------


@contextmanager
def application(urls: Mapping[str, str], primary: str) -> Iterator[Router]:
    """The application on a database and an index of its own.

    With ``DATABASE_URL``, or ``MONGODB_URL``, both are kept; else both are removed in
    the end.

    :param urls: of servers, by name.
    """
    kept = os.environ.get("MONGODB_URL" if primary == MONGODB else "DATABASE_URL")
    with tempfile.TemporaryDirectory(prefix="movies-") as folder:
        if primary == MONGODB:
            engine = "nefertari_engine_base.primary.mongo"
            database = {"mongodb.url": urls[MONGODB]}
        else:
            engine = "nefertari_engine_base.primary.sqla"
            file = Path(folder) / "movies.sqlite"
            database = {"sqlalchemy.url": kept or f"sqlite:///{file}"}
        prefix = KEPT_PREFIXES[primary] if kept else f"movies-demo-{os.getpid()}"
        app = main(
            {},
            **database,
            **{
                "nefertari.engine": f"{engine} nefertari_es",
                "elasticsearch.hosts": urls["elasticsearch"],
                "elasticsearch.index_prefix": prefix,
                "movies.load": "false",
            },
        )
        engines = engines_of(app.registry)
        try:
            yield app
        finally:
            if not kept:
                remove_indices(engines)
            engines.close()
            database_of(app.registry).close()


def remove_indices(engines: Engines) -> None:
    """Remove the indices of every model."""
    # A server that is gone has taken them with it.
    with suppress(ApiError, TransportError):
        for model in load.indexed(engines):
            index: Any = model.secondary._index
            for name in index.get_alias():
                index.connection.indices.delete(index=name)


# --- the command -------------------------------------------------------------


def run(arguments: Sequence[str] | None = None) -> int:
    """The command; its exit status."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING)
    # The engines say what it says, in one sentence and without tracebacks.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    signal.signal(signal.SIGTERM, _interrupt)
    console = Console(highlight=False)
    try:
        with ExitStack() as stack:
            servers = ["elasticsearch", *_SERVERS[options.primary]]
            with console.status("Servers start …"):
                urls = stack.enter_context(running(*servers))
            return _show(urls, options, console)
    except (FilmsMissing, ServersError, EngineError) as error:
        console.print(f"✗ {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\nBye.")
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.movies.demo", description="Films, indexed and served."
    )
    parser.add_argument(
        "--check", action="store_true", help="end after the tour, with status 0 or 1"
    )
    parser.add_argument(
        "--primary",
        choices=_SERVERS,
        default=SQL,
        help="the kind of the database, default %(default)s",
    )
    parser.add_argument("--port", type=int, default=PORT, help="default %(default)s")
    return parser


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def _show(
    urls: Mapping[str, str], options: argparse.Namespace, console: Console
) -> int:
    console.print(f"Elasticsearch is at {urls['elasticsearch']}")
    with application(urls, options.primary) as app:
        held = Demo(engines_of(app.registry), console).run()
        if options.check or not held:
            console.print(
                "\n[green]All of it held.[/]" if held else "\n[red]Not all held.[/]"
            )
            return 0 if held else 1
        _serve(app, options.port, console)
    return 0


def _serve(app: Router, port: int, console: Console) -> None:
    try:
        server = waitress.create_server(app, host="127.0.0.1", port=port)
    except OSError as error:
        raise ServersError(
            f"Port {port} cannot be had ({error.strerror}). Choose another by --port."
        ) from error
    address = f"http://127.0.0.1:{server.effective_port}/"
    console.print(f"\n[b]Films are at {address}[/b]  (Ctrl-C ends)")
    server.run()


if __name__ == "__main__":
    sys.exit(run())
