"""The environment that unmodified nefertari and Ramses run in.

They need a setuptools with ``pkg_resources``, at run time and to be built, so that no
environment of today's packages has them. This one has the released ones, and today's
packages of everything else that the checkout needs. It is made once, and cached where
the servers' downloads are.

``python -m tools.ramses -m pytest tests/ramses`` runs its Python, with the checkout on
the path.
"""

import hashlib
import os
import subprocess
import sys
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools.servers.cache import locked, remove
from tools.servers.settings import Settings

ROOT = Path(__file__).parent.parent

#: What can be had by name alone, and what has to be there to build it.
_TOOLS = ("setuptools<70", "wheel")
#: What some tests of Ramses need; before Ramses, whose folder of tests has its name.
_GUARDS = "nefertari-guards==0.2.0"
_EXTRAS = ("ramses", "sqla", "postgresql", "mongo", "es")
_TESTS = ("mock<3", "pytest", "pytest-timeout", "WebTest", "waitress")
#: Where real nefertari-sqla still runs; it is asked what is right.
_OLD = (
    *("nefertari-sqla==0.4.2", "SQLAlchemy==1.3.24", "SQLAlchemy-Utils==0.36.8"),
    *("pyramid<2", "pyramid_sqlalchemy", "zope.sqlalchemy<2", "elasticsearch==1.9.0"),
    # Its client reads headers by a method that is gone, and asks dictionaries of
    # nefertari for an attribute that they take for a key.
    *("urllib3<2", "simplejson<4", "WebTest"),
)


def python() -> Path:
    """The interpreter of the environment, which is made if it is not there yet.

    :raises subprocess.CalledProcessError: if the packages cannot be had or built.
    """
    guards = ("--no-build-isolation", "--no-deps", _GUARDS)
    return _environment(_TOOLS, guards, ("--no-build-isolation", *requirements()))


def old_python() -> Path:
    """The interpreter of an environment of nefertari-sqla; errors as :func:`python`."""
    tools = ("setuptools<58", "wheel")
    released = [line for line in _extras()["ramses"] if "==" in line]
    return _environment(tools, ("--no-build-isolation", *released, *_OLD))


def _environment(*steps: Sequence[str]) -> Path:
    text = "\n".join([sys.version, *(item for step in steps for item in step)])
    name = f"ramses-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    cache = Settings.from_environment().cache
    folder = cache / name
    # Its programs know where they are, so it is made in its place, and marked at last.
    ready = folder / ".ready"
    with locked(cache, name):
        if not ready.is_file():
            remove(folder)
            venv.create(folder, with_pip=True)
            for step in steps:
                _install(folder, *step)
            ready.touch()
    return folder / "bin" / "python"


def requirements() -> list[str]:
    """Everything that the environment has, besides what builds it."""
    ours = [line for extra in _EXTRAS for line in _extras()[extra]]
    return [*_project()["dependencies"], *ours, *_TESTS]


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return project["project"]  # type: ignore[no-any-return]


def _extras() -> dict[str, list[str]]:
    return _project()["optional-dependencies"]  # type: ignore[no-any-return]


def _install(folder: Path, *arguments: str) -> None:
    pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet")
    subprocess.run([*pip, *arguments], check=True, stdin=subprocess.DEVNULL)


def main() -> None:
    """Become the environment's Python, with the arguments of this program."""
    interpreter = str(python())
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    os.execve(interpreter, [interpreter, *sys.argv[1:]], environment)


if __name__ == "__main__":
    main()
