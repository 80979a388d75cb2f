"""Runs MongoEngine's own tests with documents for every class, and compares.

    python -m tests.peers.mongoengine

The tests are those of the source distribution, which has a part of them; or those of
the checkout that MONGOENGINE_TESTS names. They are run without documents, and with
them, in each mode. Exits with 1 if a test passes without documents and not with them,
or if a document is not what is stored, unless known.toml has the test and a reason.
"""

# ruff: noqa: T201 - it talks to its user

from __future__ import annotations

import argparse
import sys
import time
from importlib.util import find_spec

from tests.peers.mongoengine import source
from tests.peers.mongoengine.runs import INLINE, PLAIN, WORKER, Run
from tests.peers.mongoengine.verdict import Known, complaints, figures
from tools import servers


def main() -> int:
    """Run, compare, print; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.peers.mongoengine",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--mode", choices=(WORKER, INLINE), action="append")
    parser.add_argument(
        "tests", nargs="*", help="paths of some tests, from their folder"
    )
    options = parser.parse_args()
    if missing := [one for one in ("blinker", "PIL") if find_spec(one) is None]:
        parser.error(f"{', '.join(missing)} is missing: pip install blinker Pillow")
    base = source.folder()
    tests = options.tests or source.chosen_tests(base)
    print(f"MongoEngine's tests in {base}: {' '.join(tests)}", flush=True)
    server = servers.start("mongodb")
    try:
        return _compare(server.url, base, tests, options.mode or [WORKER, INLINE])
    finally:
        server.stop()


def _compare(url: str, base, tests: list[str], modes: list[str]) -> int:
    known, wrong = Known.read(), []
    plain = _timed(PLAIN, base, tests, url)
    print(
        f"plain: {plain.count('passed')} passed, {plain.count('failed')} failed, "
        f"{plain.count('skipped')} skipped"
    )
    for mode in modes:
        run = _timed(mode, base, tests, url)
        print(figures(plain, run), flush=True)
        wrong += complaints(plain, run, known)
        for test, record in run.records.items():
            if (reason := known.reason(mode, test)) and (
                record.error or record.differences or record.problems
            ):
                print(f"  known: {test}: {reason}")
    for complaint in wrong:
        print(f"WRONG {complaint}")
    print("No test and no document differs." if not wrong else f"{len(wrong)} differ.")
    return 1 if wrong else 0


def _timed(mode: str, base, tests: list[str], url: str) -> Run:
    begun = time.monotonic()
    run = Run.of(mode, base, tests, url=url)
    print(f"[{time.monotonic() - begun:.0f} s]", end=" ")
    return run


if __name__ == "__main__":
    sys.exit(main())
