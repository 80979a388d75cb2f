"""The newsroom's settings, for the tests that start it in an environment of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.conftest import empty_database
from tests.mongo.conftest import empty_mongodb

ROOT = Path(__file__).parent.parent.parent
RAML = ROOT / "examples" / "newsroom" / "api.raml"

SQLA = "nefertari_engine_base.primary.sqla"
MONGO = "nefertari_engine_base.primary.mongo"
ES = "nefertari_es"


@contextmanager
def primary(kind: str, server_of, tmp_path_factory) -> Iterator[dict[str, str]]:
    """The settings that say what the primary is and where, empty, for a while."""
    if kind == "mongodb":
        with empty_mongodb(server_of(kind).url) as database:
            host = urlsplit(server_of(kind).url)._replace(path=f"/{database.name}")
            yield {"mongodb.url": host.geturl()}
    else:
        with empty_database(kind, server_of, tmp_path_factory) as url:
            yield {"sqlalchemy.url": url}


def token_raml(folder: Path) -> Path:
    """The newsroom's RAML with tokens for tickets, in a copy."""
    return changed_raml(folder, "securedBy: [ticket]", "securedBy: [token]")


def changed_raml(folder: Path, old: str, new: str) -> Path:
    """The newsroom's RAML with one text for another, in a copy."""
    copy = shutil.copytree(RAML.parent, folder / "newsroom") / RAML.name
    copy.write_text(RAML.read_text().replace(old, new))
    return Path(copy)
