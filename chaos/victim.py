"""``python -m chaos.victim INI``: writes until it is killed, as often as is wanted.

It reads lines ``NUMBER HOW COMMITS``. For each it forks a process, which changes what
belongs to that trial until it is killed, and tells its id as ``ready PID`` after so
many commits; ``stopped PID`` follows each time that it stops itself, and in the end
``ended STATUS``. Forked, a process is there without the second that the imports take;
it connects by itself, since connections must not be shared.
"""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from signal import SIGKILL

from chaos.application import application
from chaos.processes import ROOT


class Victim:
    """The side of those who kill.

    :param ini: of the application that it writes with.
    """

    def __init__(self, ini: Path) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "chaos.victim", str(ini)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def start(self, number: int, how: str, commits: int) -> int:
        """Let a process write, and wait for so many commits; its id. It is alive until
        :meth:`kill`, or until it kills itself.

        :param how: it writes, as the primary names it.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(f"{number} {how} {commits}\n")
        self._process.stdin.flush()
        return int(self._answer("ready"))

    def await_its_stop(self) -> None:
        """Wait until the process that was started last has stopped itself."""
        self._answer("stopped")

    def kill(self, pid: int) -> None:
        """Kill the process that was started last.

        :raises RuntimeError: if it has ended by itself.
        """
        os.kill(pid, SIGKILL)
        self.await_its_end()

    def await_its_end(self) -> None:
        """Wait until the process that was started last is killed.

        :raises RuntimeError: if it ends otherwise.
        """
        if (status := self._answer("ended")) != str(int(SIGKILL)):
            raise RuntimeError(f"The victim ended by itself with status {status}.")

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.communicate()

    def _answer(self, word: str) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(word):
            raise RuntimeError(f"The victim answered {line!r}, and not {word!r}.")
        return line.split()[1]


@contextmanager
def victim(ini: Path) -> Iterator[Victim]:
    """A victim that is gone in the end."""
    one = Victim(ini)
    try:
        yield one
    finally:
        one.close()


def _fork(ini: Path, line: str) -> int:
    """Write in a process of its own, and wait; how it ended, as ``waitpid`` says."""
    pid = os.fork()
    if pid:
        while os.WIFSTOPPED(status := os.waitpid(pid, os.WUNTRACED)[1]):
            os.write(1, f"stopped {pid}\n".encode())
        return status
    try:
        number, how, commits = line.split()
        with application(ini) as app:
            made = app.kind.victim(app, int(number), how)
            deque(islice(made, int(commits)), maxlen=0)
            os.write(1, f"ready {os.getpid()}\n".encode())
            deque(made, maxlen=0)
    except BaseException:  # noqa: BLE001 - it must not go on as its parent does
        traceback.print_exc()
    os._exit(1)


def main() -> int:
    """Obey until the input ends."""
    ini = Path(sys.argv[1])
    with application(ini):
        pass  # everything is imported now
    for line in sys.stdin:
        os.write(1, f"ended {_fork(ini, line)}\n".encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
