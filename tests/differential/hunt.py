"""Look for many failures at once: ``python -m tests.differential.hunt sqlite``.

Each failure is shrunk and printed, and programs that have all its traits are left out
from then on, until nothing new is found. Traits are coarse, so some other failures hide
behind those that are known: mend, and look again.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, assume, given, seed, settings

from tests.differential.databases import Databases
from tests.differential.playing import Program
from tests.differential.programs import programs
from tests.differential.runner import Runner
from tests.differential.without_us import Plain

#: Fields of operations that say of what kind they are.
_KINDS = ("road", "target", "form", "got", "kind", "how", "method", "what", "conflict")


def traits(program: Program) -> frozenset[Any]:
    """What a failure of this program may be owed to."""
    found: set[Any] = {program.family, *program.listeners}
    found.update(flag for flag in ("swallows", "recipe") if getattr(program, flag))
    operations = list(program.operations)
    for operation in operations:
        operations.extend(getattr(operation, "operations", ()))
        kinds = [
            getattr(operation, one.name)
            for one in fields(operation)
            if one.name in _KINDS
        ]
        where = type(getattr(operation, "where", None)).__name__
        found.add((type(operation).__name__, *map(str, kinds), where))
    return frozenset(found)


def hunt(
    runner: Runner, strategy: Any, examples: int, number: int
) -> Iterator[tuple[Program, list[str]]]:
    """Failures, each shrunk, until so many examples in a row show no other."""
    known: list[frozenset[Any]] = []
    while True:
        last: dict[str, Any] = {}

        @seed(number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
            report_multiple_bugs=False,
        )
        @given(strategy)
        def same(program: Program) -> None:
            assume(not any(one <= traits(program) for one in known))
            if found := runner.differences(program):
                last.update(program=program, found=found)  # noqa: B023 - called here
                raise AssertionError

        number += 1
        try:
            same()
        except AssertionError:
            known.append(traits(last["program"]))
            yield last["program"], last["found"]
        else:
            return


def main() -> None:
    """Print what is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("database", help="sqlite, or the URL of a PostgreSQL server")
    parser.add_argument("--families", nargs="*", default=())
    parser.add_argument("--skip", nargs="*", default=(), help="see programs()")
    parser.add_argument("--examples", type=int, default=300)
    parser.add_argument("--capture", default="session")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 16))
    told = parser.parse_args()
    dialect = sa.make_url(told.database).get_backend_name() if (
        "://" in told.database
    ) else "sqlite"  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        factory = SimpleNamespace(mktemp=lambda name: Path(folder))
        server, plain = SimpleNamespace(url=told.database), Plain()
        databases = Databases(dialect, lambda kind: server, factory)
        runner = Runner(databases, plain, told.capture)
        print(f"seed {told.seed}")  # noqa: T201
        skip = frozenset(told.skip)
        strategy = programs(dialect, tuple(told.families), 5, skip)
        for program, found in hunt(runner, strategy, told.examples, told.seed):
            print(f"\n### {program}", *found, sep="\n", flush=True)  # noqa: T201
        print(dict(runner.counts))  # noqa: T201
        plain.close()
        databases.close()


if __name__ == "__main__":
    main()
