"""Which of SQLAlchemy's tests are run."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

#: All that are about the ORM.
ALL = ("test/orm",)

#: Files that write in many ways, and are run in half a minute; not each version has all
#: of them.
SHORT = (
    "test/orm/dml/test_bulk.py",
    # The same tests: in 2.0, and in a file of 2.1.
    "test/orm/dml/test_update_delete_where.py",
    "test/orm/dml/test_orm_upd_del_inheritance.py",
    "test/orm/inheritance/test_concrete.py",
    "test/orm/test_association.py",
    "test/orm/test_backref_mutations.py",
    "test/orm/test_naturalpks.py",
    "test/orm/test_unitofwork.py",
    "test/orm/test_versioning.py",
)


def resolved(folder: Path, chosen: Sequence[str]) -> list[str]:
    """The chosen tests, files and folders, with patterns of names resolved.

    :param folder: of the distribution.
    :raises FileNotFoundError: if there is nothing of these names.
    """
    found: dict[str, None] = {}
    for name in chosen:
        file, _, test = name.partition("::")
        for path in sorted(folder.glob(file)):
            inner = str(path.relative_to(folder))
            found[f"{inner}::{test}" if test else inner] = None
    if not found:
        raise FileNotFoundError(f"{folder} has nothing of {', '.join(chosen)}.")
    return list(found)


def files(folder: Path, chosen: Sequence[str]) -> list[str]:
    """The files that resolved tests, files and folders are in."""
    found: set[str] = set()
    for name in chosen:
        path = folder / name.partition("::")[0]
        inner = path.rglob("test_*.py") if path.is_dir() else [path]
        found.update(str(one.relative_to(folder)) for one in inner if _can_be_read(one))
    return sorted(found)


def _can_be_read(path: Path) -> bool:
    """Whether a file is not for a later Python, as its name says."""
    named = re.search(r"_py3(\d\d)$", path.stem)
    return named is None or sys.version_info >= (3, int(named[1]))
