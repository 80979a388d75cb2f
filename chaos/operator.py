"""What whoever looks after the application does in the middle of a run."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from chaos import processes

#: Seconds that a command may take, and that it is tried for.
_PATIENCE, _LONGEST = 300.0, 600.0


class Operator:
    """Runs commands of ``nefertari-es``.

    :attr ini: of the version of the application that they are run for.
    """

    def __init__(self, ini: Path) -> None:
        self.ini = ini
        self._pool = ThreadPoolExecutor(1)
        self._commands: list[Future[None]] = []

    def command(self, *words: str) -> str:
        """Run a command once; what it says if it fails, and nothing otherwise."""
        done = subprocess.run(
            (sys.executable, *processes.command(self.ini, *words)),
            cwd=processes.ROOT,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            check=False,
        )
        return done.stderr if done.returncode else ""

    def begin(self, *words: str) -> None:
        """Run a command beside everything else, until it succeeds: servers are killed
        while it runs."""
        self._commands.append(self._pool.submit(self._repeat, words))

    def _repeat(self, words: tuple[str, ...]) -> None:
        end = time.monotonic() + _LONGEST
        while said := self.command(*words):
            if time.monotonic() > end:
                raise RuntimeError(f"{words} has never succeeded: {said}")
            time.sleep(1)

    @property
    def is_busy(self) -> bool:
        """Whether a command is under way."""
        return not all(command.done() for command in self._commands)

    def await_commands(self) -> None:
        """Wait until all have succeeded. :raises RuntimeError: if one does not."""
        for command in self._commands:
            command.result()
