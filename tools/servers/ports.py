"""Ports on loopback that nobody uses."""

import random
import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"

# Below the range from which the kernel takes ports for outgoing connections (32768 and
# up on Linux): while a server is down, a client that keeps trying its port would sooner
# or later be given that very port, connect to itself, and keep the server out.
_CANDIDATES = range(20000, 32000)


def free_ports(count: int) -> tuple[int, ...]:
    """Return ``count`` different ports on which nobody listens.

    They are drawn at random, so that two processes that ask at once rarely collide.
    """
    with ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            probe = stack.enter_context(socket.socket())
            try:
                port = random.choice(_CANDIDATES)
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            ports.append(port)
    return tuple(ports)
