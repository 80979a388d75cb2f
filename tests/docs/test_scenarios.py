"""The tests that the page of scenarios names are there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "architecture" / "scenarios.rst"


def test_every_test_that_the_page_of_scenarios_names_exists():
    named = re.findall(r"``(tests/[\w/]+\.py)::(\w+)``", PAGE.read_text())
    assert len(named) > 15
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text())
        assert name in {getattr(node, "name", "") for node in tree.body}, (path, name)
