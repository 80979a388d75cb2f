"""The application of the crash tests, on servers that all tests share."""

import os
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient

from chaos.application import application, write_ini


@pytest.fixture
def app(postgresql_database_url, elasticsearch_url, index_prefix, tmp_path):
    """Inline sync; nobody is killed."""
    settings = {
        "elasticsearch.hosts": elasticsearch_url,
        "elasticsearch.index_prefix": index_prefix,
    }
    ini = tmp_path / "app.ini"
    write_ini(ini, "postgresql", postgresql_database_url, settings)
    with application(ini) as app:
        app.engines.setup_database()
        yield app
        client = app.secondary.client
        for name in client.indices.get(index=f"{index_prefix}-*").body:
            client.indices.delete(index=name)


@pytest.fixture
def mongodb_database_url(mongodb_url):
    """URL of an empty database on MongoDB."""
    name = f"chaos_{os.getpid()}"
    url = urlsplit(mongodb_url)._replace(path=f"/{name}").geturl()
    with MongoClient(url) as client:
        client.drop_database(name)
        yield url
        client.drop_database(name)
