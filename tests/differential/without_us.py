"""Plays programs in a process that has never imported us.

``python -m tests.differential.without_us`` reads (program, url) from its input, and
writes what became of it; all is pickled.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

from tests.differential.families import FAMILIES
from tests.differential.playing import Played, Program, connect, make_tables, play

ROOT = Path(__file__).parent.parent.parent


class Plain:
    """The process, as its parent has it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )

    def begin(self, program: Program, url: str) -> None:
        """Begin to play a program on an empty database."""
        assert self._process.stdin is not None
        pickle.dump((program, url), self._process.stdin)
        self._process.stdin.flush()

    def end(self) -> Played:
        """What became of it."""
        assert self._process.stdout is not None
        played = pickle.load(self._process.stdout)
        if isinstance(played, str):
            raise AssertionError(f"The program broke off without us:\n{played}")
        return played

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


def _play(program: Program, url: str) -> Played:
    engine = connect(url, program)
    try:
        make_tables(engine, FAMILIES[program.family])
        return play(program, engine)
    finally:
        engine.dispose()


def main() -> None:
    """Play programs until the input ends."""
    out = sys.stdout.buffer
    while True:
        try:
            program, url = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        played: Any
        try:
            played = _play(program, url)
        except Exception:  # noqa: BLE001 - the parent says it
            played = traceback.format_exc()
        assert "nefertari_engine_base" not in sys.modules
        pickle.dump(played, out)
        out.flush()


if __name__ == "__main__":
    main()
