"""Servers: ours to start and stop, or somebody else's."""

import logging
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import ClassVar, Self

from tools.servers import cache
from tools.servers.account import Account
from tools.servers.errors import NotOurServer, ServerFailed, ServersError
from tools.servers.ports import free_ports
from tools.servers.process import Process
from tools.servers.recipe import Recipe, Scratch
from tools.servers.settings import url_variable

log = logging.getLogger(__name__)

#: Seconds that a server may take until it serves; a loaded machine is slow.
READY_TIMEOUT = 300.0
#: Seconds that a server may take to end in good order before it is killed.
STOP_TIMEOUT = 60.0
#: Seconds between two questions to a server that is starting.
POLL_INTERVAL = 0.1
#: How many of the last lines of a log an error shows.
SHOWN_LOG_LINES = 30


class Server(ABC):
    """A server that runs; as a context manager, it is stopped at the end."""

    #: Whether somebody else runs it, so that it can only be used.
    external: ClassVar[bool]

    def __init__(self, name: str, url: str) -> None:
        #: One of ``NAMES``.
        self.name = name
        #: What clients are given; the same after a restart.
        self.url = url

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} at {self.url}>"

    @abstractmethod
    def stop(self) -> None:
        """End it in good order, wait, and remove its data. Harmless when repeated."""

    @abstractmethod
    def halt(self) -> None:
        """End it in good order and wait; its data is kept for ``restart``."""

    @abstractmethod
    def kill(self) -> None:
        """End it by SIGKILL and wait; its data is kept for ``restart``."""

    @abstractmethod
    def pause(self) -> None:
        """Stop all of its processes where they are (SIGSTOP); connections hang."""

    @abstractmethod
    def resume(self) -> None:
        """Let it go on after ``pause`` (SIGCONT)."""

    @abstractmethod
    def restart(self) -> None:
        """Start it again, on the same port with the same data, and wait for it.

        It is halted first if it is running.

        :raises ServerFailed: if it does not come back.
        """


class ExternalServer(Server):
    """A server given by its URL: used as it is, never stopped."""

    external = True

    def stop(self) -> None:
        """Do nothing: whoever started it will stop it."""

    def halt(self) -> None:
        """Refuse."""
        raise self._refusal("halted")

    def kill(self) -> None:
        """Refuse."""
        raise self._refusal("killed")

    def pause(self) -> None:
        """Refuse."""
        raise self._refusal("paused")

    def resume(self) -> None:
        """Refuse."""
        raise self._refusal("resumed")

    def restart(self) -> None:
        """Refuse."""
        raise self._refusal("restarted")

    def _refusal(self, what: str) -> NotOurServer:
        variable = url_variable(self.name)
        return NotOurServer(
            f"{self.name} at {self.url} is not ours and cannot be {what}. Unset "
            f"{variable}, so that a server is started for this."
        )


class OwnServer(Server):
    """A server that this process has started, and that ends with it."""

    external = False

    def __init__(self, name: str, recipe: Recipe, abandoned: Event) -> None:
        recipe.fetch()
        self._recipe = recipe
        self._abandoned = abandoned
        self._scratch = _make_scratch(name, recipe)
        self._log = cache.new_log(recipe.settings.cache, name)
        self._process: Process | None = None
        super().__init__(name, recipe.url(self._scratch))
        try:
            recipe.prepare(self._scratch)
            self._scratch.account.own(self._scratch.folder)
            self.restart()
        except BaseException:
            self._discard()
            raise

    def stop(self) -> None:
        """End it, and remove its data; its log is kept."""
        self.halt()
        self._discard()

    def halt(self) -> None:
        """End it by its own way of ending; kill it if that takes too long."""
        if self._process:
            self._process.stop(STOP_TIMEOUT)
            self._process = None

    def kill(self) -> None:
        """End it and all of its processes as a power cut would."""
        if self._process:
            self._process.kill()
            self._process = None

    def pause(self) -> None:
        """Make it hang."""
        self._running().pause()

    def resume(self) -> None:
        """End the hanging."""
        self._running().resume()

    def restart(self) -> None:
        """Start its process anew in the same scratch folder."""
        self.halt()
        begun = time.monotonic()
        self._process = Process(
            self._recipe.command(self._scratch),
            scratch=self._scratch.folder,
            account=self._scratch.account,
            log=self._log,
        )
        self._wait_until_ready(self._process, begun + READY_TIMEOUT)
        seconds = time.monotonic() - begun
        log.info("%s is ready at %s (%.1f s)", self.name, self.url, seconds)

    def _wait_until_ready(self, process: Process, deadline: float) -> None:
        while not self._recipe.is_ready(self._scratch):
            if not process.is_alive:
                raise self._failure(f"ended with status {process.exit_status}")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready after {READY_TIMEOUT:.0f} s")
            if self._abandoned.wait(POLL_INTERVAL):
                raise ServersError(f"The start of {self.name} was given up.")

    def _running(self) -> Process:
        if not self._process:
            raise ServersError(f"{self.name} is not running. Call restart() first.")
        if not self._process.is_alive:
            raise self._failure(f"ended with status {self._process.exit_status}")
        return self._process

    def _discard(self) -> None:
        self.kill()
        cache.remove(self._scratch.folder)

    def _failure(self, what: str) -> ServerFailed:
        lines = self._log.read_text(errors="replace").splitlines()
        shown = "\n".join(lines[-SHOWN_LOG_LINES:])
        return ServerFailed(
            f"{self.name} {what}. The end of its log {self._log} tells why:\n{shown}"
        )


def _make_scratch(name: str, recipe: Recipe) -> Scratch:
    account = Account.for_server(recipe.account_name)
    account.check_reach(Path(tempfile.gettempdir()), "TMPDIR")
    folder = Path(tempfile.mkdtemp(prefix=f"nefertari-{name}-"))
    account.own(folder)
    return Scratch(folder, free_ports(recipe.port_count), account)
