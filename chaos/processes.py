"""Processes that are killed and frozen, and start again."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

#: Where ``chaos`` can be imported.
ROOT = Path(__file__).parent.parent

#: Seconds that the end after SIGTERM may take.
ENDING = 60.0

#: How much of the log of a process an error shows, in lines.
_SHOWN = 15


class EndedByItself(Exception):
    """A process that nobody has killed is gone, or does not end when it is told to."""


class Process:
    """A command that can be killed, frozen and started again.

    :param arguments: of Python, from the number of the life, which begins with 1.
    :param log: takes what all lives write to standard output and error.
    """

    def __init__(
        self, name: str, arguments: Callable[[int], Sequence[str]], log: Path
    ) -> None:
        self.name = name
        self.life = 0
        self.frozen = False
        self._arguments = arguments
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin another life."""
        self.life += 1
        self.frozen = False
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                (sys.executable, *self._arguments(self.life)),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A terminal's Ctrl-C is for the tormentor, who then ends the others.
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it by SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Stop it where it is (SIGSTOP)."""
        self._running().send_signal(signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)
        self.frozen = False

    def check(self) -> None:
        """Make sure that it is alive. :raises EndedByItself:"""
        self._running()

    def stop(self) -> None:
        """Ask it to end (SIGTERM), and wait.

        :raises EndedByItself: if it is gone already, fails, or does not end.
        """
        process = self._running()
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            status = process.wait(ENDING)
        except subprocess.TimeoutExpired:
            raise self._error(f"goes on {ENDING:.0f} s after SIGTERM") from None
        # A process that is just starting does not know yet what SIGTERM means.
        if status not in (0, -signal.SIGTERM):
            raise self._error(f"ended with status {status} after SIGTERM")
        self._process = None

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "start() comes first"
        if (status := self._process.poll()) is not None:
            raise self._error(f"ended by itself with status {status}")
        return self._process

    def _error(self, what: str) -> EndedByItself:
        lines = self._log.read_text(errors="replace").splitlines()
        shown = "\n".join(lines[-_SHOWN:])
        return EndedByItself(
            f"{self.name} (life {self.life}) {what}. The end of its log:\n{shown}"
        )


@contextmanager
def killed_in_the_end(processes: Sequence[Process]) -> Iterator[None]:
    """Leave none of the processes behind."""
    try:
        yield
    finally:
        for process in processes:
            process.kill()


def writer(ini: Path, number: int, seed: str, log: Path) -> Process:
    """A process of :mod:`chaos.writer`; each of its lives has a seed of its own."""

    def arguments(life: int) -> Sequence[str]:
        own_seed = f"{seed}-{number}-{life}"
        return ("-m", "chaos.writer", str(ini), str(number), own_seed)

    return Process(f"writer {number}", arguments, log)


def worker(ini: Path, number: int, log: Path) -> Process:
    """A process of ``nefertari-es worker``."""
    command = worker_command(ini)
    return Process(f"worker {number}", lambda life: command, log)


def worker_command(ini: Path, *options: str) -> Sequence[str]:
    """The arguments of Python for ``nefertari-es worker``."""
    return ("-m", "nefertari_es.cli", "-c", str(ini), "worker", *options)
