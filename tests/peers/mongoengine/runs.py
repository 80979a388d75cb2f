"""Runs of MongoEngine's tests, each in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

#: Without documents; with delivery at the end of each test; with delivery by each write
#: and references embedded.
PLAIN, WORKER, INLINE = "plain", "worker", "inline"

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Record:
    """What the plugin says of one test; see :class:`.harness.plugin.Session`."""

    id: str
    outcome: str
    error: str = ""
    differences: Sequence[str] = ()
    problems: Sequence[str] = ()
    documents: int = 0
    models: int = 0
    refused: Sequence[str] = ()
    unseen: Sequence[str] = ()


@dataclass(frozen=True)
class Run:
    """The records of all tests of one run, by their ids."""

    mode: str
    records: dict[str, Record] = field(default_factory=dict)

    @classmethod
    def of(cls, mode: str, base: Path, tests: Sequence[str], **options: Any) -> Self:
        """Run tests; see :func:`run`."""
        return cls(mode, {one.id: one for one in run(mode, base, tests, **options)})

    def count(self, outcome: str) -> int:
        return sum(one.outcome == outcome for one in self.records.values())

    def total(self, attribute: str) -> int:
        """The sum of a number, or the number of all items."""
        values = (getattr(one, attribute) for one in self.records.values())
        return sum(one if isinstance(one, int) else len(one) for one in values)


def run(
    mode: str,
    base: Path,
    tests: Sequence[str],
    *,
    url: str,
    loses: bool = False,
    shows: bool = False,
) -> list[Record]:
    """Run tests, and read what was recorded of each.

    :param base: the folder that their paths begin in.
    :param url: of the server.
    :param loses: lose every second entry.
    :param shows: show the dots of pytest.
    :raises RuntimeError: if they could not be run.
    """
    with tempfile.TemporaryDirectory() as work:
        records = Path(work) / "records"
        environment = {
            **os.environ,
            "MONGODB_URL": url,
            "PEERS_MODE": mode,
            "PEERS_RECORDS": str(records),
            "PEERS_LOSE": "1" if loses else "",
            "PYTHONPATH": str(_HERE),
        }
        command = [
            *(sys.executable, "-m", "pytest", "-p", "harness.plugin"),
            *("-q", "--tb=no", "-p", "no:cacheprovider", "-W", "ignore"),
            *("-c", os.devnull, "--rootdir", str(base), "--timeout", "60", *tests),
        ]
        output = None if shows else subprocess.PIPE
        ended = subprocess.run(
            command, cwd=base, env=environment, stdout=output, text=True, check=False
        )
        # 1: some tests have failed, as they do without us.
        if ended.returncode not in (0, 1) or not records.exists():
            raise RuntimeError(
                f"pytest ended with {ended.returncode}: {(ended.stdout or '')[-2000:]}"
            )
        lines = records.read_bytes().splitlines()
    return [Record(**orjson.loads(line)) for line in lines]
