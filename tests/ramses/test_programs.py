"""Nefertari's own programs, and a server that real clients ask."""

from __future__ import annotations

import pytest
import transaction
from nefertari import engine

from nefertari_engine_base import suspended
from tests.ramses.conftest import MODE
from tests.ramses.programs import ask, run_program, served


@pytest.mark.skipif(MODE != "tickets", reason="it logs in")
def test_a_real_client_asks_a_real_server(ini, empty):
    with served(ini) as url:
        assert ask(f"{url}/users")[1]["data"][0]["username"] == "system"
        login = {"login": "system", "password": "123456"}
        response, _ = ask(f"{url}/auth/login", login)
        cookie = {"Cookie": response.headers["Set-Cookie"].partition(";")[0]}
        article = {"title": "t", "text": "one two"}
        made = ask(f"{url}/articles?_refresh_index=true", article, cookie)[1]
        assert made["author"] == "system"
        # Not by _refresh_index, it would not be found yet.
        assert ask(f"{url}/articles?title=t")[1]["total"] == 1


@pytest.fixture
def lost(empty, engines):
    """Keys of two articles, by title, that are in no index."""
    if engines.secondary is None:
        pytest.skip("there is no index")
    article = engine.get_document_cls("Article")
    with suspended():
        made = [article(title=title, text="t").save() for title in ("one", "two")]
        ids = {row.title: row.id for row in made}
        transaction.commit()
    assert article.secondary.get_by_ids(ids.values()) == [None, None]
    return ids


def test_missing_documents_are_indexed_by_nefertaris_program(ini, lost):
    indexed = engine.get_document_cls("Article").secondary
    # Each model has an index of its own, and documents travel as many as fit.
    asked = ("-c", ini, "--models", "Article", "--index", "other", "--chunk", 1)
    said = run_program("nefertari.index", *asked, "--params", "title=one", "--quiet")
    assert "Indexing" not in said
    one, two = indexed.get_by_ids([lost["one"], lost["two"]])
    assert (one.title, two) == ("one", None)
    said = run_program("nefertari.index", *asked)
    assert "Indexing missing `Article` documents" in said
    assert indexed.get_item(id=lost["two"]).title == "two"


def test_every_document_is_written_anew_by_nefertaris_program(ini, empty, engines):
    if engines.secondary is None:
        pytest.skip("there is no index")
    article = engine.get_document_cls("Article")
    id_ = article(title="old", text="t").save().id
    transaction.commit()
    with suspended():
        article.get_item(id=id_).update({"title": "new"})
        transaction.commit()
    assert article.secondary.get_item(id=id_).title == "old"
    run_program("nefertari.index", "-c", ini, "--recreate", "--quiet")
    assert article.secondary.get_item(id=id_).title == "new"
