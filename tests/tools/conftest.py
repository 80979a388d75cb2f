"""Settings of the development servers, and one server that is cheap to have."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tools.servers import Server, Settings, start


@pytest.fixture(scope="session")
def settings() -> Settings:
    """Those of the environment, but for servers that are not ours to kill."""
    return replace(Settings.from_environment(), urls={})


@pytest.fixture(scope="module")
def postgresql(settings: Settings) -> Iterator[Server]:
    with start("postgresql", settings) as server:
        yield server


@pytest.fixture
def bare() -> Iterator[Settings]:
    """Settings of a machine where nothing is installed and nothing may be."""
    # Not tmp_path, which is closed to the users that root's servers run as.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield Settings(
            cache=folder / "cache",
            search_path=str(folder / "bin"),
            jvm_folder=folder / "jvm",
            postgresql_folder=folder / "postgresql",
        )
