"""What changes the application or its data as a whole, while processes go on."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos.operator import Operator
from chaos.primaries import Database
from chaos.processes import Process

#: Shortest and longest time, in seconds, until a process is replaced.
_ROLLING = (0.5, 8.0)

#: Does something after so many seconds.
After = Callable[[float, Callable[[], None]], None]


class SetBack:
    """The database comes back from a backup that was made while writers wrote.

    Nobody writes rows meanwhile; workers, and what deliveries have in the air, go on.
    The index is made right as ``docs/howto/operations.rst`` says, while writers write
    again.
    """

    def __init__(
        self, database: Database, operator: Operator, writers: Sequence[Process],
        backup: Path, is_rolling: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._database, self._operator = database, operator
        self._writers, self._backup, self._is_rolling = writers, backup, is_rolling
        self._is_made = False

    def do(self) -> bool:
        """Make the backup, or come back to it; whether the latter was done.

        Not while two versions run: which of them the data would be of is not known.
        """
        if self._operator.is_busy or self._is_rolling():
            return False
        if not self._is_made:
            self._database.back_up(self._backup)
            self._is_made = True
            return False
        for writer in self._writers:
            writer.stop()
        self._database.restore(self._backup)
        for writer in self._writers:
            writer.start()
        # The backup may be of the time before a deployment.
        self._operator.begin("setup")
        self._operator.begin("index")
        self._is_made = False
        return True


class Deployment:
    """A new version of the application replaces the old one, one process at a time.

    The order is that of ``docs/howto/operations.rst``: setup, workers, all others, and
    the index of what has changed.

    :param new: the ini files of the new version: of the processes, and of the operator.
    :param after: does something later.
    """

    def __init__(
        self, operator: Operator, workers: Sequence[Process],
        writers: Sequence[Process], new: tuple[Path, Path], after: After,
        random_: random.Random,
    ) -> None:  # fmt: skip
        self._operator = operator
        self._new, self._operators = new
        self._workers, self._writers = workers, writers
        self._after, self._random = after, random_
        self._old: list[Process] = []
        self._is_begun = False

    @property
    def is_under_way(self) -> bool:
        """Whether processes of both versions run."""
        return bool(self._old)

    def do(self) -> bool:
        """Begin it, once; whether that was possible."""
        if self._is_begun or self._operator.is_busy:
            return False
        self._is_begun = True
        self._operator.ini = self._operators
        # It has ended before the first process is replaced.
        self._operator.begin("setup")
        self._operator.await_commands()
        self._old = [*self._workers, *self._writers]
        seconds = 0.0
        for process in list(self._old):
            seconds += self._random.uniform(*_ROLLING) / 2
            self._after(seconds, lambda process=process: self._replace(process))  # type: ignore[misc]
        return True

    def end(self) -> None:
        """Replace all that are still of the old version."""
        for process in list(self._old):
            self._replace(process)

    def _replace(self, process: Process) -> None:
        if process not in self._old:
            return
        self._old.remove(process)
        process.kill()
        process.ini = self._new
        process.start()
        if not self._old:
            self._operator.begin("index")
