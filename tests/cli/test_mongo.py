"""Every command on MongoDB, as a user types it."""

import os
from urllib.parse import urlsplit

import mongoengine as me
import pytest

from nefertari_engine_base import engines_of, suspended
from tests.cli.conftest import INI
from tests.cli.mongo_application import Boat, Owner, configured


@pytest.fixture
def url(mongodb_url):
    name = f"commands_{os.getpid()}"
    yield urlsplit(mongodb_url)._replace(path=f"/{name}").geturl()
    options = {"host": mongodb_url, "uuidRepresentation": "standard"}
    me.connect(alias="cleaning", **options).drop_database(name)
    me.disconnect("cleaning")


@pytest.fixture
def ini(url, tmp_path, elasticsearch_url, index_prefix):
    path = tmp_path / "app.ini"
    path.write_text(
        INI.format(
            application="mongo_application",
            primary="mongo",
            database=f"mongodb.url = {url}",
            search_url=elasticsearch_url,
            prefix=index_prefix,
            more="",
        )
    )
    return str(path)


@pytest.fixture
def engines(url, elasticsearch_url, index_prefix):
    config = configured(
        {
            "nefertari.engine": "nefertari_engine_base.primary.mongo nefertari_es",
            "mongodb.url": url,
            "nefertari.sync": "worker",
            "elasticsearch.hosts": elasticsearch_url,
            "elasticsearch.index_prefix": index_prefix,
        }
    )
    engines = engines_of(config.registry)
    yield engines
    client = engines.secondary.client
    found = client.indices.get(index=f"{index_prefix}-*", ignore_unavailable=True)
    if found:
        client.indices.delete(index=",".join(found))
    engines.close()


def names(engines):
    engines.secondary.refresh(engines.schemas.values())
    return sorted(boat.name for boat in Boat.get_collection())


def test_the_commands_do_on_mongodb_what_they_do_on_sql(engines, ini, run):
    def told(*arguments, status=0):
        result = run("-c", ini, *arguments)
        assert result.returncode == status, result
        return result.stdout

    assert "are there for: Boat." in told("setup")
    boat = Boat(name="Argo", owner=Owner(name="Jason").save()).save()
    assert "Boat" in told("status")
    assert "A worker delivers it." in told("explain", "Boat", str(boat.pk), status=1)
    told("worker", "--once")
    assert names(engines) == ["Argo"]
    assert "The document equals the row." in told("explain", "Boat", str(boat.pk))

    with suspended():
        boat.update(set__name="Argus")
        Boat(name="Ark").save()
    assert "sync was suspended" in told("status")
    told("catch-up")
    assert names(engines) == ["Argus", "Ark"]

    # As another program does it.
    engines.primaries["mongo"].outboxes()[0].collections._database["boat"].delete_one(
        {"_id": boat.pk}
    )
    told("index")
    assert names(engines) == ["Ark"]
    assert "no dead letters" in told("dead-letters", "list")


def test_triggers_are_none_on_mongodb(engines, ini, run):
    for command in ("install", "check", "remove"):
        result = run("-c", ini, "triggers", command)
        assert result.returncode == 1
        assert "(mongo) has triggers" in result.stderr
        assert "nefertari-es index" in result.stderr
