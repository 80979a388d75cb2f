"""The application that is tormented, as its own author would configure it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyramid.config import Configurator
from pyramid.paster import bootstrap

from chaos.primaries import NEW, Primary, primary_named
from nefertari_engine_base.engines import Engines, engines_of

_INI = """\
[app:main]
use = call:chaos.application:main
chaos.primary = {primary}
nefertari.engine =
    {includes}
    nefertari_es
{settings}

[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = WARNING
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(asctime)s %(process)d %(name)s: %(message)s
"""


def main(global_config: Mapping[str, str], **settings: str) -> Any:
    """The WSGI application of the ini file; it has no views."""
    with Configurator(settings=settings) as config:
        config.include("nefertari_engine_base")
        kind = primary_named(settings["chaos.primary"])
        kind.declare(config, settings.get("chaos.version", NEW))
    return config.make_wsgi_app()


def write_ini(
    path: Path, primary: str, url: str, settings: Mapping[str, object]
) -> Path:
    """Write an ini file that processes of a run share.

    :param primary: name of the primary; see :mod:`chaos.primaries`.
    :param url: of its database.
    """
    kind = primary_named(primary)
    lines = (
        f"{key} = {str(value).replace('%', '%%')}"
        for key, value in {**kind.settings(url), **settings}.items()
    )
    text = _INI.format(
        primary=primary, includes=kind.includes, settings="\n".join(lines)
    )
    path.write_text(text)
    return path


class Application:
    """The engines of the application, and what is asked of them here.

    :param kind: what is known of the primary.
    :param name: of the primary engine.
    """

    def __init__(self, engines: Engines, kind: Primary, name: str) -> None:
        self.engines = engines
        self.kind = kind
        self.primary: Any = engines.primaries[name]
        self.secondary: Any = engines.secondary

    def waiting(self) -> int:
        """How many outbox entries wait for a delivery."""
        return sum(outbox.waiting() for outbox in self.engines.outboxes())

    def dead_letters(self) -> int:
        """How many outbox entries are not tried any more."""
        return sum(len(outbox.dead_letters()) for outbox in self.engines.outboxes())

    def close(self) -> None:
        """Close what it has opened."""
        self.engines.close()


@contextmanager
def application(ini: Path) -> Iterator[Application]:
    """The application of an ini file, closed in the end."""
    with bootstrap(str(ini)) as environment:
        registry = environment["registry"]
        kind = primary_named(registry.settings["chaos.primary"])
        app = kind.application(engines_of(registry))
        try:
            yield app
        finally:
            app.close()
