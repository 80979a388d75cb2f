"""Which of SQLAlchemy's tests pass without us: found out once for each file."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.peers.sqlalchemy.databases import version_of
from tests.peers.sqlalchemy.places import cache
from tests.peers.sqlalchemy.running import Bench
from tests.peers.sqlalchemy.selection import files
from tests.peers.sqlalchemy.sources import source
from tools.servers.cache import locked

#: Raised when outcomes are found out in another way.
_FORMAT = 1


def outcomes(bench: Bench, chosen: Sequence[str]) -> dict[str, str]:
    """The outcome of each test of the files that the chosen ones are in, by its id."""
    python = ".".join(map(str, sys.version_info[:2]))
    database = f"{bench.database}-{version_of(bench.database)}"
    name = f"baseline-{_FORMAT}-{bench.version}-{python}-{database}"
    path = cache() / f"{name}.json"
    with locked(cache(), name):
        known = _read(path)
        wanted = files(source(bench.version), chosen)
        if missing := [file for file in wanted if file not in known]:
            known.update({file: {} for file in missing})
            for record in bench.run(missing, follows=False):
                known[record.id.partition("::")[0]][record.id] = record.outcome
            _write(path, known)
    return {id_: known[file][id_] for file in wanted for id_ in known[file]}


def _read(path: Path) -> dict[str, dict[str, str]]:
    if not path.exists():
        return {}
    known: dict[str, dict[str, str]] = json.loads(path.read_text())
    return known


def _write(path: Path, known: dict[str, dict[str, str]]) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(known, indent=0, sort_keys=True))
    beside.rename(path)
