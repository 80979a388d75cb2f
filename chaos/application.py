"""The application that is tormented, as its own author would configure it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from pyramid.config import Configurator
from pyramid.paster import bootstrap
from pyramid.settings import asbool
from sqlalchemy.orm import Session

from chaos.models import declare
from nefertari_engine_base.engines import Engines, engines_of

_INI = """\
[app:main]
use = call:chaos.application:main
nefertari.engine =
    nefertari_engine_base.primary.sqla
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
        declare(config)
    return config.make_wsgi_app()


def write_ini(path: Path, settings: Mapping[str, object]) -> Path:
    """Write the ini file that all processes of a run share."""
    lines = (
        f"{key} = {str(value).replace('%', '%%')}" for key, value in settings.items()
    )
    path.write_text(_INI.format(settings="\n".join(lines)))
    return path


class Application:
    """The engines of the application, and what is asked of them here."""

    def __init__(self, engines: Engines) -> None:
        self.engines = engines
        self.primary: Any = engines.primaries["sqla"]
        self.secondary: Any = engines.secondary
        self.database: sa.Engine = self.primary.engine

    @property
    def has_triggers(self) -> bool:
        """Whether changes that no session hears of are followed here."""
        return asbool(self.engines.registry.settings.get("chaos.triggers"))

    def install_triggers(self) -> None:
        """Follow changes that no session hears of."""
        for triggers in self.primary.triggers(tuple(self.engines.secondaries)):
            triggers.install()

    def session(self, **options: Any) -> Session:
        """A session of the unit of work."""
        return Session(self.database, **options)

    def waiting(self) -> int:
        """How many outbox entries wait for a delivery."""
        return sum(outbox.waiting() for outbox in self.engines.outboxes())

    def dead_letters(self) -> int:
        """How many outbox entries are not tried any more."""
        return sum(len(outbox.dead_letters()) for outbox in self.engines.outboxes())


@contextmanager
def application(ini: Path) -> Iterator[Application]:
    """The application of an ini file, closed in the end."""
    with bootstrap(str(ini)) as environment:
        app = Application(engines_of(environment["registry"]))
        try:
            yield app
        finally:
            app.engines.close()
            app.database.dispose()
