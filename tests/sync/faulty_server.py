"""A gate to a search server that refuses, fails or cuts off some bulk requests."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

#: What may become of a bulk request: refused before the server sees it, lost before,
#: or applied by the server, with the answer lost.
FAULTS = ("429", "500", "503", "lost", "applied")


class Lost(Exception):
    """Raised where a request is forwarded: the connection is to be closed."""


class Gate:
    """Forwards requests; ``chance`` of the bulk ones meet a fault.

    :attr met: the faults so far.
    """

    def __init__(self, server_url: str, seed: str) -> None:
        self.server = urlsplit(server_url)
        self.chance = 0.0
        self.met: list[str] = []
        self._random = random.Random(seed)

    def fault(self, path: str) -> str | None:
        if "_bulk" not in path or self._random.random() >= self.chance:
            return None
        self.met.append(self._random.choice(FAULTS))
        return self.met[-1]

    def forward(self, method: str, path: str, headers, body: bytes):
        assert self.server.hostname
        connection = http.client.HTTPConnection(self.server.hostname, self.server.port)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()


def _handler(gate: Gate) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            fault = gate.fault(self.path)
            if fault == "lost":
                self.close_connection = True
                return
            if fault in ("429", "500", "503"):
                headers = [("content-type", "application/json")]
                self.reply(int(fault), headers, b'{"error":{"type":"x","reason":"x"}}')
                return
            with suppress(Lost):
                answer = gate.forward(self.command, self.path, self.headers, body)
                if fault != "applied":
                    self.reply(*answer)
                    return
            self.close_connection = True

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer  # noqa: N815

        def reply(self, status, headers, body: bytes) -> None:
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in ("content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *arguments) -> None:
            """Says nothing."""

    return Handler


@contextmanager
def gate_to(server_url: str, seed: str) -> Iterator[tuple[Gate, str]]:
    """A gate, and the URL to reach it."""
    gate = Gate(server_url, seed)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(gate))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield gate, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
