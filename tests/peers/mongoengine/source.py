"""Where MongoEngine's tests come from."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

from tools.servers.cache import installed
from tools.servers.settings import Settings

#: Names a folder that has MongoEngine's ``tests``: a checkout of its repository.
VARIABLE = "MONGOENGINE_TESTS"

#: What of it asks a server, and neither a replica set nor another server's double.
_CHOSEN = (
    *("document", "queryset", "fields", "all_warnings"),
    *("test_signals.py", "test_dereference.py", "test_context_managers.py"),
    *("test_common.py", "test_datastructures.py", "test_utils.py"),
    *("test_pymongo_support.py", "test_connection.py"),
)


def folder() -> Path:
    """The folder that ``tests`` is in: of a checkout, or of the source distribution of
    the installed version, which is fetched once and has only a part of them."""
    if chosen := os.environ.get(VARIABLE):
        return _checked(Path(chosen).resolve())
    name = f"mongoengine-{version('mongoengine')}"
    return installed(Settings.from_environment().cache, name, _fetch)


def _checked(chosen: Path) -> Path:
    if chosen.name == "tests":
        chosen = chosen.parent
    if not (chosen / "tests").is_dir():
        raise SystemExit(f"{VARIABLE}: {chosen} has no folder tests.")
    return chosen


def _fetch(work: Path) -> Path:
    """Have pip fetch the source distribution.

    It asks a distribution for its metadata, and where it is isolated for that it may
    wait for ever; so there is an environment with what is needed.
    """
    environment, found = work / "environment", work / "found"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [environment / "bin" / "python", "-m", "pip", "-q"]
    subprocess.run([*pip, "install", "setuptools>=77"], check=True)
    wanted = f"mongoengine=={version('mongoengine')}"
    options = ["--no-deps", "--no-binary", ":all:", "--no-build-isolation"]
    subprocess.run([*pip, "download", *options, "-d", found, wanted], check=True)
    (archive,) = found.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(work, filter="data")
    return next(path for path in work.glob("mongoengine-*") if path.is_dir())


def chosen_tests(base: Path) -> list[str]:
    """Paths of the tests, from their folder, as far as they are there and complete."""
    paths = [base / "tests" / name for name in _CHOSEN]
    return [
        str(path.relative_to(base))
        for path in paths
        if path.exists() and not _lacks_something(base, path)
    ]


def _lacks_something(base: Path, path: Path) -> bool:
    """The source distribution has no utilities of the tests."""
    if (base / "tests" / "utils.py").exists():
        return False
    return path.is_file() and "from tests." in path.read_text()
