"""Installations outside of the checkout that are complete or absent, never halves."""

import fcntl
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


@contextmanager
def locked(cache: Path, name: str) -> Iterator[None]:
    """Hold the lock ``name`` of the cache, against threads and other processes."""
    _make_folder(cache)
    with (cache / f".{name}.lock").open("w") as lock_file:
        # Every open() has a lock of its own, so that threads exclude each other too.
        # The lock ends with the file, thus also with a process that is killed.
        fcntl.flock(lock_file, fcntl.LOCK_EX)
        yield


def installed(cache: Path, name: str, build: Callable[[Path], Path]) -> Path:
    """Return the folder ``name`` of the cache; build it if it is not there yet.

    ``build`` is called with a temporary folder and returns the finished folder inside
    it, which gets its name by one rename. When many ask at once, one of them builds.
    """
    target = cache / name
    if target.is_dir():
        return target
    with locked(cache, name):
        if not target.is_dir():
            log.info("fetching %s", name)
            with tempfile.TemporaryDirectory(dir=cache, prefix=f".{name}-") as work:
                finished = build(Path(work))
                _make_readable(finished)
                finished.rename(target)
    return target


def new_log(cache: Path, name: str, keep: int = 50) -> Path:
    """Return the path of a new log file, after deleting all but the newest ``keep``."""
    folder = cache / "logs"
    with locked(cache, "logs"):
        _make_folder(folder)
        logs = sorted(folder.glob("*.log"), key=lambda path: path.stat().st_mtime)
        for outdated in logs[: max(0, len(logs) - keep + 1)]:
            outdated.unlink()
        descriptor, path = tempfile.mkstemp(
            dir=folder, prefix=f"{name}-", suffix=".log"
        )
        os.close(descriptor)
    return Path(path)


def remove(folder: Path) -> None:
    """Remove a folder and what is in it; it is no error if it is gone already."""
    shutil.rmtree(folder, ignore_errors=True)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)


def _make_readable(folder: Path) -> None:
    # The umask may be strict, and the servers run as another user.
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        executable = path.is_dir() or mode & stat.S_IXUSR
        path.chmod(stat.S_IMODE(mode) | (0o555 if executable else 0o444))
