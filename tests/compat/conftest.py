"""Fixtures of the tests that run nefertari in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.compat.newsroom import ES, MONGO, RAML, ROOT, SQLA, primary
from tools import ramses


@pytest.fixture(scope="module")
def python() -> Path:
    return ramses.python()


@pytest.fixture
def settings(elasticsearch_url, index_prefix) -> dict[str, str]:
    return {
        "pyramid.includes": "nefertari_engine_base.compat",
        "nefertari.engine": f"{SQLA} {ES}",
        "elasticsearch.hosts": elasticsearch_url.removeprefix("http://").rstrip("/"),
        "elasticsearch.index_name": index_prefix,
        "elasticsearch.enable_refresh_query": "true",
        "elasticsearch.enable_aggregations": "true",
        "elasticsearch.enable_polymorphic_query": "true",
        "ramses.raml_schema": str(RAML),
        "auth": "true",
        "auth_tkt_secret": "secret",
        "system.user": "system",
        "system.password": "123456",
        "system.email": "system@example.com",
        "enable_get_tunneling": "true",
    }


@pytest.fixture
def run(python, server_of, tmp_path_factory, settings):
    """Runs tests of ``tests/ramses`` on a database of this kind."""

    def run_on(kind: str, names: tuple[str, ...], *arguments: str) -> None:
        with primary(kind, server_of, tmp_path_factory) as where:
            engine = settings["nefertari.engine"]
            if kind == "mongodb":
                engine = engine.replace(SQLA, MONGO)
            newsroom = {**settings, "nefertari.engine": engine, **where}
            environment = {
                **os.environ,
                "NEWSROOM": json.dumps(newsroom),
                "PYTHONPATH": str(ROOT),
            }
            files = [f"tests/ramses/test_{name}.py" for name in names]
            result = subprocess.run(
                [
                    *(str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider"),
                    # Nefertari and Ramses use what is deprecated.
                    *("-o", "filterwarnings=", "-W", "ignore", *files, *arguments),
                ],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
            )
            assert result.returncode == 0, result.stdout + result.stderr

    return run_on
