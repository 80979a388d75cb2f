"""SQLAlchemy's source distribution, which has its tests in it."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

from tests.peers.sqlalchemy.places import cache
from tools.servers.cache import installed

#: What pip needs to read the name and version of a source distribution.
_BUILD_REQUIREMENTS = ("cython>=3", "setuptools>=77", "wheel")
_SECONDS = 300


def source(version: str) -> Path:
    """The folder of the unpacked distribution; downloaded when first asked for."""

    def download(work: Path) -> Path:
        # An isolated build is one in which pip waits for ever for its requirements
        # behind some proxies; so it gets an environment that has them.
        python = _make_environment(work / "build")
        _run(
            *(python, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--no-binary", ":all:", "--no-build-isolation"),
            *("--dest", str(work), f"SQLAlchemy=={version}"),
        )
        (archive,) = work.glob("*.tar.gz")
        with tarfile.open(archive) as opened:
            opened.extractall(work / "unpacked", filter="data")
        (folder,) = (work / "unpacked").iterdir()
        return folder

    return installed(cache(), f"sqlalchemy-{version}", download)


def _make_environment(folder: Path) -> str:
    _run(sys.executable, "-m", "venv", str(folder))
    python = str(folder / "bin" / "python")
    _run(python, "-m", "pip", "install", "--quiet", *_BUILD_REQUIREMENTS)
    return python


def _run(*command: str) -> None:
    subprocess.run(command, check=True, timeout=_SECONDS)
