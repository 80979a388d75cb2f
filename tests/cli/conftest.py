"""An application of its own, and the ini file of its commands."""

import subprocess
import sys

import pytest

from tests.application import Application
from tests.sync.models import declare
from tests.sync.processes import LOGGING

INI = (
    """
[app:main]
use = call:tests.cli.{application}:main
{database}
nefertari.engine =
    nefertari_engine_base.primary.{primary}
    nefertari_es
nefertari.sync = worker
elasticsearch.hosts = {search_url}
elasticsearch.index_prefix = {prefix}
{more}
"""
    + LOGGING
)


@pytest.fixture
def app(database_url, elasticsearch_url, index_prefix):
    app = Application(
        database_url, elasticsearch_url, index_prefix, declare, nefertari__sync="worker"
    ).setup()
    yield app
    app.close()


@pytest.fixture
def make_ini(app, tmp_path, database_url, elasticsearch_url, index_prefix):
    """Function that writes an ini file with further lines; its path."""

    def make(*lines):
        path = tmp_path / "app.ini"
        path.write_text(
            INI.format(
                application="application",
                primary="sqla",
                database="sqlalchemy.url = " + database_url.replace("%", "%%"),
                search_url=elasticsearch_url,
                prefix=index_prefix,
                more="\n".join(lines),
            )
        )
        return str(path)

    return make


@pytest.fixture
def ini(make_ini):
    return make_ini()


@pytest.fixture
def command():
    """Function from arguments to the command line of a process."""
    return lambda *arguments: [sys.executable, "-m", "nefertari_es.cli", *arguments]


@pytest.fixture
def run(command):
    """Function that runs a command to its end."""

    def run(*arguments):
        return subprocess.run(
            command(*arguments),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return run
