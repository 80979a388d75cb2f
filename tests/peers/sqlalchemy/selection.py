"""Which of SQLAlchemy's tests are run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

#: All that are about the ORM.
ALL = ("test/orm",)

#: The files that write most, and in most ways.
WRITING = (
    "test/orm/dml/test_bulk.py",
    "test/orm/inheritance/test_basic.py",
    "test/orm/inheritance/test_poly_persistence.py",
    "test/orm/inheritance/test_single.py",
    "test/orm/test_association.py",
    "test/orm/test_backref_mutations.py",
    "test/orm/test_cascade.py",
    "test/orm/test_cycles.py",
    "test/orm/test_lambdas.py",
    "test/orm/test_manytomany.py",
    "test/orm/test_naturalpks.py",
    "test/orm/test_onetoone.py",
    "test/orm/test_unitofwork.py",
    "test/orm/test_unitofworkv2.py",
    "test/orm/test_versioning.py",
)


def files(folder: Path, chosen: Sequence[str]) -> list[str]:
    """The files that chosen tests, files and folders of a folder are in.

    :raises FileNotFoundError: for a name that is none.
    """
    found: set[str] = set()
    for name in chosen:
        path = folder / name.partition("::")[0]
        if not path.exists():
            raise FileNotFoundError(f"{name}: not in {folder}")
        inner = path.rglob("test_*.py") if path.is_dir() else [path]
        found.update(str(one.relative_to(folder)) for one in inner)
    return sorted(found)
