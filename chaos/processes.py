"""Processes that are killed and frozen, and start again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

#: Where ``chaos`` can be imported.
ROOT = Path(__file__).parent.parent

#: Seconds that the end after SIGTERM may take.
ENDING = 60.0

#: Asks a writer to fork.
FORK = signal.SIGUSR1

#: Seconds that a process may take to do so: it ends a transaction before.
_FORKING = 2.0

#: How much of the log of a process an error shows, in lines.
_SHOWN = 15


class EndedByItself(Exception):
    """A process that nobody has killed is gone, or does not end when it is told to."""


class Process:
    """A command that can be killed, frozen and started again, with all that it forks.

    :attr ini: of the application that its next life runs.

    :param arguments: of Python, from the number of the life, which begins with 1.
    :param log: takes what all lives write to standard output and error.
    """

    def __init__(
        self, name: str, arguments: Callable[[int], Sequence[str]], log: Path
    ) -> None:
        self.name = name
        self.life = 0
        self.frozen = False
        self.ini: Path | None = None
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
                # Until it knows what that means.
                preexec_fn=lambda: signal.signal(FORK, signal.SIG_IGN),
            )

    def kill(self) -> None:
        """End it by SIGKILL, and wait until it is gone."""
        if self._process is not None:
            self._signal(self._process, signal.SIGKILL)
            self._process.wait()
            self._process = None
            self.frozen = False

    def freeze(self) -> None:
        """Stop it where it is (SIGSTOP)."""
        self._signal(self._running(), signal.SIGSTOP)
        self.frozen = True

    def thaw(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(self._running(), signal.SIGCONT)
        self.frozen = False

    def fork(self) -> bool:
        """Have it fork, as servers do that load an application once; whether it has.

        It has no more than one child at a time.
        """
        process = self._running()
        if self.frozen or self._children(process):
            return False
        process.send_signal(FORK)
        end = time.monotonic() + _FORKING
        while not self._children(process):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def check(self) -> None:
        """Make sure that it is alive. :raises EndedByItself:"""
        self._running()

    def stop(self) -> None:
        """Ask it to end (SIGTERM), and wait.

        :raises EndedByItself: if it is gone already, fails, or does not end.
        """
        process = self._running()
        self._signal(process, signal.SIGCONT)
        self._signal(process, signal.SIGTERM)
        self.frozen = False
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

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], number: int) -> None:
        """Send a signal to it and to what it has forked; it is the first of a group."""
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            # It has ended meanwhile, which is told by its status.
            process.poll()

    @staticmethod
    def _children(process: subprocess.Popen[bytes]) -> str:
        # https://man7.org/linux/man-pages/man5/proc_pid_task.5.html
        path = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        return path.read_text() if path.exists() else ""

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
        return ("-m", "chaos.writer", str(process.ini), str(number), own_seed)

    process = Process(f"writer {number}", arguments, log)
    process.ini = ini
    return process


def worker(ini: Path, number: int, log: Path) -> Process:
    """A process of ``nefertari-es worker``."""

    def arguments(life: int) -> Sequence[str]:
        assert process.ini is not None
        return command(process.ini, "worker")

    process = Process(f"worker {number}", arguments, log)
    process.ini = ini
    return process


def command(ini: Path, *words: str) -> Sequence[str]:
    """The arguments of Python for a command of ``nefertari-es``."""
    return ("-m", "nefertari_es.cli", "-c", str(ini), *words)
