"""``python -m benchmarks [NAME...] [--quick] [--json FILE]``."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import (
    bulk,
    draining,
    generation,
    imports,
    mongo,
    pages,
    sync,
    waking,
    writer,
)
from benchmarks.measure import Result
from benchmarks.report import as_json, show
from benchmarks.setting import Benchmark, Setting
from tools.servers import running

BENCHMARKS: dict[str, Benchmark] = {
    "writer": writer.run,
    "pages": pages.run,
    "sync": sync.run,
    "bulk": bulk.run,
    "mongo": mongo.run,
    "waking": waking.run,
    "draining": draining.run,
    "generation": generation.run,
    "imports": imports.run,
}

#: How much of a full run ``--quick`` does.
QUICK = 0.34


def main(arguments: Sequence[str] | None = None) -> int:
    """Run benchmarks; status 1 if a bar is missed by more than the noise."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(unknown)}; have: {', '.join(BENCHMARKS)}")
    console = Console(width=None if sys.stdout.isatty() else 150)
    seed = options.seed if options.seed is not None else random.randrange(10_000)
    _describe_machine(console, seed)
    results: dict[str, Result] = {}
    with running("elasticsearch", "postgresql", "mongodb") as urls:
        scale = QUICK if options.quick else 1.0
        setting = Setting(**urls, scale=scale, seed=seed)
        for name in options.names or BENCHMARKS:
            results[name] = BENCHMARKS[name](setting)
            show(console, results[name])
    if options.json:
        figures = {name: as_json(result) for name, result in results.items()}
        options.json.write_text(json.dumps({"seed": seed, **figures}, indent=1) + "\n")
    return 0 if all(result.passed for result in results.values()) else 1


def _describe_machine(console: Console, seed: int) -> None:
    cores, load = os.cpu_count() or 1, os.getloadavg()[0]
    console.print(f"seed {seed}; {cores} cores; load average before: {load:.1f}")
    if load > cores / 4:
        console.print(
            "[yellow]Something else is running here: ratios will scatter, and times "
            "mean little.[/]"
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure, and compare with the bars."
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"benchmarks to run, by default all: {', '.join(BENCHMARKS)}",
    )
    parser.add_argument("--quick", action="store_true", help="measure less")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--seed", type=int, help="of order and input; default random")
    return parser


if __name__ == "__main__":
    sys.exit(main())
