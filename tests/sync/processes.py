"""Real workers of the tests' application, in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: What is said goes to standard error.
LOGGING = """
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
format = %(message)s
"""

INI = (
    """
[app:main]
use = call:{application}
{settings}
"""
    + LOGGING
)

#: The application of :mod:`tests.cli.application`, which has this module's models.
FILMS = "tests.cli.application:main"


def write_ini(path: Path, settings: dict[str, object], application: str = FILMS) -> str:
    """An ini file with these settings; its path."""
    lines = [f"{key} = {value}".replace("%", "%%") for key, value in settings.items()]
    text = INI.format(application=application, settings="\n".join(lines))
    path.write_text(text)
    return str(path)


class Worker:
    """A process of ``nefertari-es worker``; what it says is in a file."""

    def __init__(self, ini: str) -> None:
        self.log = Path(f"{ini}.{os.getpid()}.{id(self)}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "nefertari_es.cli", "-c", ini, "worker"],
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.log.read_text()

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> int:
        """Tell it to end; what it ended with."""
        self.thaw()
        with suppress(ProcessLookupError):
            self.process.terminate()
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait(60)


@contextmanager
def worker(ini: str) -> Iterator[Worker]:
    """A worker for a while."""
    started = Worker(ini)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait(60)
