"""``python -m chaos [--primary NAME] [--seed SEED] [--changes N] ...``."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Mapping, Sequence

from chaos.primaries import NAMES, primary_named
from chaos.processes import EndedByItself
from chaos.report import describe_machine, make_console, show
from chaos.run import Plan, run
from chaos.servers import own_servers
from chaos.torments import POOLED_DROPPED, Often, fitting
from nefertari_engine_base.settings import CaptureMode
from tools.servers import ServersError


def main(arguments: Sequence[str] | None = None) -> int:
    """Torment once; status 0 only if nothing is lost, and enough was done to say so."""
    options = _parser().parse_args(arguments)
    console = make_console()
    plan = Plan(
        seed=options.seed or secrets.token_hex(4),
        changes=options.changes,
        writers=options.processes,
        workers=options.workers,
        seconds=options.minutes * 60,
        torments=_torments(options),
        triggers=options.triggers,
        primary=options.primary,
        capture=options.capture,
        pooler=options.pooler,
    )
    describe_machine(console, plan.seed)
    try:
        with own_servers(options.primary) as servers:
            result = run(plan, servers)
    except (EndedByItself, ServersError) as error:
        console.print(str(error), style="red", markup=False)
        return 1
    show(console, result)
    return 0 if result.passed else 1


def _torments(options: argparse.Namespace) -> Mapping[str, Often]:
    full = fitting(primary_named(options.primary).full, options.capture)
    return {**full, POOLED_DROPPED: Often(8)} if options.pooler else full


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m chaos",
        description="Kill and freeze writers, workers and servers of its own at random "
        "moments, then compare the index with the rows.",
    )
    parser.add_argument(
        "--primary",
        choices=NAMES,
        default=NAMES[0],
        help=f"what has the data; default {NAMES[0]}",
    )
    parser.add_argument("--seed", help="of all random choices; default random")
    for name, default, text in (
        ("changes", 10_000, "that have to be committed"),
        ("processes", 3, "that write"),
        ("workers", 2, "that deliver"),
    ):
        parser.add_argument(
            f"--{name}", type=int, default=default, help=f"{text}; default {default}"
        )
    parser.add_argument(
        "--triggers",
        action="store_true",
        help="half of the changes are made behind the sessions' backs; on PostgreSQL",
    )
    parser.add_argument(
        "--pooler",
        action="store_true",
        help="everybody reaches PostgreSQL by a PgBouncer, which drops connections",
    )
    parser.add_argument(
        "--capture",
        choices=[str(capture) for capture in CaptureMode],
        default=str(CaptureMode.SESSION),
        help="who tells of changes on PostgreSQL; default session",
    )
    parser.add_argument(
        "--minutes", type=float, default=30, help="after which it ends; default 30"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
