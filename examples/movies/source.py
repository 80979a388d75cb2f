"""Where the films come from: ``movies.json`` of vega-datasets.

``vega_datasets`` describes the file but does not carry it. It is taken from the npm
package that ``vega_datasets`` itself is made from, or, without npm, by the download of
``vega_datasets``. Either way its checksum is compared, and it is kept outside of the
checkout, so that it is fetched once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

from tools.servers.cache import installed
from tools.servers.settings import Settings

VERSION = "1.29.0"
SHA256 = "e9ca7c955d237dfc89a7eb582fe881bc3cbdab29e7d64ada9221aa8b9c0da30c"

_TIMEOUT = 120
_NAME = "movies.json"


class FilmsMissing(RuntimeError):
    """The file with the films could not be had."""


def find_films() -> Path:
    """The path of ``movies.json``; fetched if this machine does not have it yet.

    The environment variable ``MOVIES_JSON`` names a file to take instead.

    :raises FilmsMissing: if it cannot be fetched, or is not the file that is meant.
    """
    if given := os.environ.get("MOVIES_JSON"):
        return _checked(Path(given))
    cache = Settings.from_environment().cache
    return installed(cache, f"vega-datasets-{VERSION}", _fetch) / _NAME


def _fetch(work: Path) -> Path:
    folder = work / "films"
    folder.mkdir()
    try:
        content = _from_npm(work) if shutil.which("npm") else _from_vega()
    except (OSError, subprocess.SubprocessError, tarfile.TarError) as error:
        raise FilmsMissing(
            f"The films could not be fetched ({error}). Connect to the network, or "
            f"set MOVIES_JSON to a copy of data/{_NAME} of vega-datasets {VERSION}."
        ) from error
    (folder / _NAME).write_bytes(content)
    _checked(folder / _NAME)
    return folder


def _from_npm(work: Path) -> bytes:
    subprocess.run(
        ["npm", "pack", f"vega-datasets@{VERSION}", "--silent"],
        cwd=work,
        check=True,
        capture_output=True,
        timeout=_TIMEOUT,
    )
    with tarfile.open(work / f"vega-datasets-{VERSION}.tgz") as package:
        member = package.extractfile(f"package/data/{_NAME}")
        if member is None:
            raise FilmsMissing(f"vega-datasets {VERSION} has no {_NAME}.")
        return member.read()


def _from_vega() -> bytes:
    # Imported here, because it imports pandas.
    from vega_datasets import data

    content: bytes = data.movies.raw()
    return content


def _checked(path: Path) -> Path:
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise FilmsMissing(f"{path} cannot be read: {error}.") from error
    if found != SHA256:
        raise FilmsMissing(f"{path} is not {_NAME} of vega-datasets {VERSION}.")
    return path
