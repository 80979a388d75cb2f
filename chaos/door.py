"""A door to a server: shut, the server is gone; muted, its answers are."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Door:
    """Forwards connections to a server while it is open.

    :attr url: for the clients; the same when the door is opened again.
    """

    def __init__(self, server_url: str) -> None:
        server = urlsplit(server_url)
        self._server = (server.hostname or "", server.port or 80)
        self._connections: set[socket.socket] = set()
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
        for connection in list(self._connections):
            _end(connection)
        self._connections.clear()

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
            self._connections |= {client, server}
            for forward, pair in (
                (self._forward_requests, (client, server)),
                (self._forward_answers, (server, client)),
            ):
                threading.Thread(target=forward, args=pair, daemon=True).start()

    def _forward_requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        self._part(client, server)

    def _forward_answers(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while (data := server.recv(65536)) and not self._muted:
                client.sendall(data)
        self._part(client, server)

    def _part(self, *pair: socket.socket) -> None:
        for connection in pair:
            _end(connection)
            self._connections.discard(connection)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
