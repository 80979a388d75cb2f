"""Programs that tests start: a server, and those of nefertari."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent

_SERVER = """
[server:main]
use = egg:waitress#main
listen = 127.0.0.1:0

[loggers]
keys = root, waitress
[handlers]
keys = console
[formatters]
keys =
[logger_root]
level = CRITICAL
handlers = console
[logger_waitress]
level = INFO
handlers =
qualname = waitress
[handler_console]
class = StreamHandler
args = (sys.stderr,)
"""


def write_ini(path: Path) -> None:
    """Write the settings of the application that is tested, with a server."""
    settings = json.loads(os.environ["NEWSROOM"])
    lines = [f"{key} = {value.replace('%', '%%')}" for key, value in settings.items()]
    application = ["[app:main]", "use = call:examples.newsroom:main", *lines]
    path.write_text("\n".join(application) + _SERVER)


def run_program(name: str, *arguments: object) -> str:
    """What a program of nefertari's says, on either output, beside the stand-ins.

    :raises subprocess.CalledProcessError: if it fails.
    """
    command = [sys.executable, "-W", "ignore", "-m", "nefertari_engine_base.compat"]
    result = subprocess.run(
        [*command, name, *map(str, arguments)],
        cwd=ROOT,
        check=True,
        timeout=120,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return result.stdout


@contextmanager
def served(ini: Path) -> Iterator[str]:
    """URL of the application, served by ``pserve``."""
    server = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "pyramid.scripts.pserve", str(ini)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert server.stdout is not None
    try:
        said = []
        for line in server.stdout:
            said.append(line)
            if "http://127.0.0.1:" in line:
                break
        else:
            raise AssertionError("".join(said))
        yield "http://" + line.split("http://")[1].split()[0].rstrip("/.")
    finally:
        server.terminate()
        server.wait()
        server.stdout.close()


def ask(url: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """The response to a request of the standard library's client, and its JSON."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers or {})
    if data is not None:
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as response:
        return response, json.load(response)
