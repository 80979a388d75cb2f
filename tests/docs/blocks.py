"""Blocks of code in pages of reStructuredText."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import CodeType
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@dataclass(frozen=True)
class Block:
    """A ``code-block`` of Python."""

    page: Path
    line: int
    source: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    def run(self, names: dict[str, Any]) -> None:
        """Execute it with these global names; errors point to the page's lines."""
        exec(self.compiled(), names)

    def compiled(self) -> CodeType:
        """Its code."""
        return compile("\n" * (self.line - 1) + self.source, str(self.page), "exec")


def pages() -> list[Path]:
    """Every page, those outside of ``docs/`` included."""
    return [
        *sorted(path for path in DOCS.rglob("*.rst") if "_build" not in path.parts),
        *(ROOT / name for name in ("README.rst", "CONTRIBUTING.rst", "CHANGES.rst")),
    ]


def python_blocks(page: Path) -> list[Block]:
    """The blocks of a page that are marked as Python."""
    return list(_blocks(page, page.read_text().splitlines()))


def _blocks(page: Path, lines: list[str]) -> Iterator[Block]:
    for number, line in enumerate(lines):
        if line.strip() != ".. code-block:: python":
            continue
        margin = len(line) - len(line.lstrip())
        block = []
        for following in lines[number + 1 :]:
            if following.strip() and len(following) - len(following.lstrip()) <= margin:
                break
            block.append(following)
        yield Block(page, number + 2, dedent("\n".join(block)).strip() + "\n")
