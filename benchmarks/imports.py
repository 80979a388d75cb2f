"""What importing costs, each time in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measure import Contender, Result
from benchmarks.setting import Setting

BARE = "python alone"

#: Modules of each contender.
IMPORTS = {
    BARE: "sys",
    "pyramid.config": "pyramid.config",
    "nefertari_engine_base": "nefertari_engine_base",
    "sqlalchemy.orm": "sqlalchemy.orm",
    "nefertari_engine_base.primary.sqla": "nefertari_engine_base.primary.sqla",
    "elasticsearch.dsl": "elasticsearch.dsl",
    "nefertari_es.engine": "nefertari_es.engine",
    "pyramid.config, sqlalchemy.orm, elasticsearch.dsl": (
        "pyramid.config, sqlalchemy.orm, elasticsearch.dsl"
    ),
    "base, both engines": (
        "nefertari_engine_base.primary.sqla, nefertari_es.engine"
    ),
}  # fmt: skip

DRIVERS = ("elasticsearch", "elastic_transport", "mongoengine", "pymongo", "sqlalchemy")


def run(setting: Setting) -> Result:
    """Measure."""
    contenders = [_contender(name, modules) for name, modules in IMPORTS.items()]
    samples = setting.measure(contenders, setting.plan())
    return Result("imports: a new process", samples, BARE, facts=[no_drivers()])


def _contender(name: str, modules: str) -> Contender:
    return Contender(name, lambda _: _python(f"import {modules}"))


def no_drivers() -> tuple[str, bool]:
    """Whether the base comes without drivers."""
    loaded = _python(
        "import sys, nefertari_engine_base\n"
        f"print(*[name for name in {DRIVERS!r} if name in sys.modules])"
    ).split()
    sentence = "Importing the base imports no driver"
    return (f"{sentence} (found: {', '.join(loaded)})" if loaded else sentence), (
        not loaded
    )


def _python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
