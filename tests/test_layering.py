"""Dependencies point one way, and drivers stay in their adapters."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BASE = ROOT / "nefertari_engine_base"
DRIVERS = {
    *("elasticsearch", "elastic_transport"),
    *("bson", "mongoengine", "pymongo", "sqlalchemy"),
}

#: Folder or file -> prefixes of modules that it must not import.
FORBIDDEN = {
    "nefertari_engine_base": {
        *("nefertari_es", "elasticsearch", "elastic_transport", "prometheus_client"),
    },
    "nefertari_engine_base/sync": {"nefertari_engine_base.primary", *DRIVERS},
    "nefertari_engine_base/query": {"nefertari_engine_base.primary", *DRIVERS},
    "nefertari_engine_base/testing": {"nefertari_engine_base.primary", *DRIVERS},
    "nefertari_engine_base/primary/sqla": {
        *("nefertari_engine_base.primary.mongo", "mongoengine", "pymongo", "bson"),
    },
    "nefertari_engine_base/primary/mongo": {
        *("nefertari_engine_base.primary.sqla", "sqlalchemy"),
    },
    "nefertari_engine_base/interfaces": {"pyramid", *DRIVERS},
    "nefertari_es": {"nefertari_engine_base.primary", "mongoengine", "sqlalchemy"},
    "nefertari_es/writer.py": {"nefertari_es.engine", "nefertari_es.cli"},
}


def imported(path: Path) -> Iterator[str]:
    """Modules that are imported when the file is, and those in its functions."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield node.module or ""


def sources(name: str) -> list[Path]:
    path = ROOT / name
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("name", FORBIDDEN)
def test_dependencies_point_one_way(name):
    for path in sources(name):
        for module in imported(path):
            for prefix in FORBIDDEN[name]:
                assert module != prefix, path
                assert not module.startswith(prefix + "."), path


def test_values_are_made_of_the_standard_library_alone():
    values = "nefertari_engine_base.values"
    for path in sources("nefertari_engine_base/values"):
        for module in imported(path):
            top = module.partition(".")[0]
            assert top in sys.stdlib_module_names or module.startswith(values), path


def test_only_primaries_know_their_drivers():
    for path in sources("nefertari_engine_base"):
        if BASE / "primary" not in path.parents:
            assert not {module.partition(".")[0] for module in imported(path)} & DRIVERS


def test_only_the_compatibility_knows_nefertari():
    for name in ("nefertari_engine_base", "nefertari_es"):
        for path in sources(name):
            if BASE / "compat" not in path.parents:
                tops = {module.partition(".")[0] for module in imported(path)}
                assert not tops & {"nefertari", "ramses", "nefertari_guards"}, path


def test_only_models_of_nefertari_are_made_of_its_contract():
    code = (
        "import sys\n"
        "from nefertari_engine_base.primary.sqla import SQLAlchemyEngine\n"
        "print('nefertari_engine_base.primary.sqla.contract' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


def test_importing_the_base_imports_no_driver():
    code = (
        "import sys, nefertari_engine_base\n"
        f"print(*[name for name in {sorted(DRIVERS)!r} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == ""


def test_only_who_wants_metrics_imports_their_library():
    code = (
        "import sys, nefertari_es.engine, nefertari_es.cli, nefertari_es.web\n"
        "print('prometheus_client' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"


@pytest.mark.parametrize("name", ["nefertari_engine_base", "nefertari_es", "tools"])
def test_files_stay_under_400_lines(name):
    for path in sources(name):
        assert len(path.read_text().splitlines()) <= 400, path
