"""Nefertari's own programs, and a server that real clients ask."""

from __future__ import annotations

import pytest
import transaction
from nefertari import engine

from tests.ramses.programs import ask, run_program, served


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


def test_missing_documents_are_indexed_by_nefertaris_program(ini, empty, engines):
    if engines.secondary is None:
        pytest.skip("there is no index")
    from nefertari_engine_base import suspended

    article = engine.get_document_cls("Article")
    with suspended():
        made = article(title="lost", text="t").save()
        id_ = made.id
        transaction.commit()
    assert article.secondary.get_by_ids([id_]) == [None]
    run_program("nefertari.index", "-c", ini, "--models", "Article", "--quiet")
    assert article.secondary.get_item(id=id_).title == "lost"


def test_every_document_is_written_anew_by_nefertaris_program(ini, empty, engines):
    if engines.secondary is None:
        pytest.skip("there is no index")
    from nefertari_engine_base import suspended

    article = engine.get_document_cls("Article")
    id_ = article(title="old", text="t").save().id
    transaction.commit()
    with suspended():
        article.get_item(id=id_).update({"title": "new"})
        transaction.commit()
    assert article.secondary.get_item(id=id_).title == "old"
    run_program("nefertari.index", "-c", ini, "--recreate", "--quiet")
    assert article.secondary.get_item(id=id_).title == "new"
