"""A door to a server: shut, the server is gone; muted, its answers are."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random
from urllib.parse import urlsplit

#: Seconds that a server may take to notice that a client is gone.
_PATIENCE = 60.0


class Door:
    """Forwards connections to a server while it is open.

    A client that goes is told to the server by the end of what it asks for, as it is
    without a door; the connection to the server ends when the server ends it, so when
    it has done all that it was asked.

    :attr url: for the clients; the same when the door is opened again.
    """

    def __init__(self, server_url: str) -> None:
        server = urlsplit(server_url)
        self._server = (server.hostname or "", server.port or 80)
        # Connections to the server, and the clients that they are for.
        self._clients: dict[socket.socket, socket.socket] = {}
        self._listener: socket.socket | None = None
        self._port = 0
        self._muted = False
        self.open()
        address = f"127.0.0.1:{self._port}"
        self.url = server._replace(netloc=address).geturl()

    def open(self) -> None:
        """Let connections through."""
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(
            target=self._accept, args=(self._listener,), daemon=True
        ).start()

    def shut(self) -> None:
        """End every connection, and refuse new ones."""
        if self._listener is not None:
            # A thread that waits in accept() keeps a socket that is only closed.
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        for server, client in list(self._clients.items()):
            _end(server)
            _end(client)
        self._clients.clear()

    @contextmanager
    def is_shut(self) -> Iterator[None]:
        """For a while the server is gone."""
        self.shut()
        try:
            yield
        finally:
            self.open()

    @contextmanager
    def is_muted(self) -> Iterator[None]:
        """For a while requests reach the server, and connections end at its answer."""
        self._muted = True
        try:
            yield
        finally:
            self._muted = False

    def end_some(self, random_: Random, count: int) -> int:
        """End the connections of so many clients, at most; of how many it was."""
        clients = list(self._clients.values())
        chosen = random_.sample(clients, min(count, len(clients)))
        for client in chosen:
            _end(client)
        return len(chosen)

    def await_nobody(self) -> None:
        """Wait until the server has done what all clients have asked for, who are gone.

        :raises RuntimeError: if that takes too long.
        """
        end = time.monotonic() + _PATIENCE
        while self._clients:
            if time.monotonic() > end:
                raise RuntimeError(f"{len(self._clients)} clients are still there.")
            time.sleep(0.001)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server)
            except OSError:
                client.close()
                continue
            self._clients[server] = client
            for forward in (self._forward_requests, self._forward_answers):
                threading.Thread(
                    target=forward, args=(client, server), daemon=True
                ).start()

    def _forward_requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _forward_answers(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                if self._muted:
                    _end(client)
                # Who is gone hears nothing, and the server goes on all the same.
                with suppress(OSError):
                    client.sendall(data)
        _end(client)
        _end(server)
        self._clients.pop(server, None)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
