"""One run of a server's process, in the hands of its keeper."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals

from tools.servers import keeper
from tools.servers.account import Account


@dataclass(frozen=True)
class Command:
    """What starts a server and what stops it."""

    arguments: tuple[str, ...]
    #: Added to the environment of this process.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: What asks the server to end in good order.
    stop_signal: Signals = Signals.SIGTERM


class Process:
    """A running server: its own process and all those below it."""

    def __init__(
        self, command: Command, *, scratch: Path, account: Account, log: Path
    ) -> None:
        user = () if account.is_current else _user_options(account)
        with log.open("ab") as log_file:
            self._keeper = subprocess.Popen(
                (
                    *(sys.executable, "-I", keeper.__file__),
                    *("--scratch", str(scratch), *user),
                    *("--stop-signal", str(command.stop_signal.value)),
                    *("--", *command.arguments),
                ),
                env={**os.environ, **command.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log_file,
                # Nothing may be left in a buffer for a keeper that has ended.
                bufsize=0,
                # A terminal's Ctrl-C is for the tool, which then stops the server.
                start_new_session=True,
            )

    @property
    def is_alive(self) -> bool:
        """Whether the server has not ended yet."""
        return self._keeper.poll() is None

    @property
    def exit_status(self) -> int | None:
        """The status as a shell tells it (128 + signal); None while it is alive."""
        return self._keeper.poll()

    def stop(self, timeout: float) -> None:
        """Ask the server to end and wait; kill it after ``timeout`` seconds."""
        self._order("stop")
        try:
            self._keeper.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()

    def kill(self) -> None:
        """End the server by SIGKILL and wait until it is gone."""
        self._order("kill")
        self._keeper.wait()
        self._close()

    def pause(self) -> None:
        """Stop all of the server's processes where they are (SIGSTOP)."""
        self._order("pause", acknowledged=True)

    def resume(self) -> None:
        """Let a paused server go on (SIGCONT)."""
        self._order("resume", acknowledged=True)

    def _order(self, word: str, *, acknowledged: bool = False) -> None:
        assert self._keeper.stdin is not None
        assert self._keeper.stdout is not None
        try:
            self._keeper.stdin.write(f"{word}\n".encode())
        except BrokenPipeError:
            return  # the server has ended by itself
        if acknowledged:
            self._keeper.stdout.readline()

    def _close(self) -> None:
        for pipe in (self._keeper.stdin, self._keeper.stdout):
            if pipe is not None:
                pipe.close()


def _user_options(account: Account) -> tuple[str, ...]:
    return ("--uid", str(account.uid), "--gid", str(account.gid))
