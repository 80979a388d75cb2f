"""The example of the README is run as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import docutils.core
import pytest

from tests.docs.blocks import ROOT, python_blocks


@pytest.fixture
def search_server(elasticsearch_url: str) -> Iterator[str]:
    """A server from which the index of the example is removed in the end."""
    yield elasticsearch_url
    index = f"{elasticsearch_url}/nefertari-movie-000001?ignore_unavailable=true"
    urllib.request.urlopen(urllib.request.Request(index, method="DELETE")).close()


def test_the_example_prints_what_the_readme_says(search_server, tmp_path: Path):
    (block,) = python_blocks(ROOT / "README.rst")
    script = tmp_path / "example.py"
    address = '"http://localhost:9200"'
    assert address in block.source
    script.write_text(block.source.replace(address, f'"{search_server}"'))
    result = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    readme = " ".join((ROOT / "README.rst").read_text().split())
    assert f"It prints ``{result.stdout.strip()}``:" in readme
    assert (tmp_path / "movies.sqlite").exists()


def test_the_example_has_fifteen_lines_beside_its_imports():
    (block,) = python_blocks(ROOT / "README.rst")
    lines = [line for line in block.source.splitlines() if line.strip()]
    assert len([line for line in lines if " import " not in line]) == 15


# Not those of Sphinx: these are shown by whoever hosts the code or the distribution.
@pytest.mark.parametrize("name", ["README.rst", "CHANGES.rst", "CONTRIBUTING.rst"])
def test_pages_outside_of_the_documentation_are_plain_restructured_text(name):
    docutils.core.publish_string(
        (ROOT / name).read_text(),
        writer="html5",
        settings_overrides={"halt_level": 2, "report_level": 2},
    )
