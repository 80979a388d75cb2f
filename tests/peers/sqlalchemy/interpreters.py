"""The Python that has the version of SQLAlchemy whose tests are run."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.peers.sqlalchemy.places import ROOT, cache
from tools.servers.cache import locked

_EXTRAS = "sqla,es,postgresql"
#: What runs the tests.
_RUNNERS = ("pytest", "pytest-xdist")
_SECONDS = 600


def installed_version() -> str:
    """The version of SQLAlchemy that this process has."""
    return version("SQLAlchemy")


def interpreter(wanted: str) -> Path:
    """A Python that has this version of SQLAlchemy, what the checkout depends on, and
    pytest.

    It is this process's own if the version is; else one of an environment that is made
    when first asked for, and made anew when the dependencies have changed.
    """
    if wanted == installed_version():
        return Path(sys.executable)
    dependencies = (ROOT / "pyproject.toml").read_bytes()
    digest = hashlib.sha256(dependencies + sys.version.encode()).hexdigest()[:10]
    name = f"environment-{wanted}-{digest}"
    folder = cache() / name
    with locked(cache(), name):
        if not (folder / "ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder, wanted)
            (folder / "ready").touch()
    return folder / "bin" / "python"


def _make(folder: Path, wanted: str) -> None:
    _run(sys.executable, "-m", "venv", str(folder))
    pip = (str(folder / "bin" / "python"), "-m", "pip")
    checkout = f"{ROOT}[{_EXTRAS}]"
    _run(*pip, "install", "--quiet", checkout, f"SQLAlchemy=={wanted}", *_RUNNERS)
    # Only its dependencies are wanted: the package itself is that of the checkout which
    # runs the tests, and the environment is there for all of them.
    _run(*pip, "uninstall", "--quiet", "--yes", "nefertari-es")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=_SECONDS)
