"""``database_acls``: lists are stored and changed, and asked before a write."""

from __future__ import annotations

import json

import pytest

from tests.ramses.programs import run_program
from tests.ramses.test_guards import (  # noqa: F401
    NOBODY,
    OF_ADMINISTRATORS,
    PUBLIC,
    RICKS,
    clients,
    entry,
    titles,
    write,
)


@pytest.fixture
def no_articles(clients, engines):  # noqa: F811
    """No articles; users stay."""
    import transaction
    from nefertari import engine

    model = engine.get_document_cls("Article")
    model._delete_many(model.get_collection())
    transaction.commit()
    if engines.secondary is not None:
        engines.secondary.refresh(engines.schemas.values())


@pytest.fixture
def admin(clients, no_articles):  # noqa: F811
    return clients["admin"]


@pytest.fixture
def rick(clients, no_articles):  # noqa: F811
    return clients["rick"]


@pytest.fixture
def morty(clients, no_articles):  # noqa: F811
    return clients["morty"]


@pytest.fixture
def anonymous(clients, no_articles):  # noqa: F811
    return clients["anonymous"]


def test_the_lists_of_the_raml_are_stored_with_what_is_made(admin, rick, anonymous):
    made = rick.post_json("/articles", {"title": "t", "text": "x"}).json
    assert "_acl" not in made
    expected = [
        entry("allow", "everyone", "view"),
        entry("allow", "everyone", "options"),
        entry("allow", "g:admin", "all"),
        entry("allow", "rick", "view"),
        entry("allow", "rick", "update"),
    ]
    assert admin.get(f"/articles/{made['id']}").json["_acl"] == expected
    assert admin.get("/articles").json["data"][0]["_acl"] == expected
    assert "_acl" not in anonymous.get("/articles").json["data"][0]
    assert entry("allow", "rick", "update") in admin.get("/users/rick").json["_acl"]
    shown = anonymous.get("/users?_sort=username").json["data"]
    assert [user["_pk"] for user in shown] == ["morty", "rick"]


def test_a_collection_is_changed_and_deleted_as_far_as_one_may(admin, rick):
    write(rick, "free", OF_ADMINISTRATORS)
    write(rick, "ricks", RICKS)
    fixed = [entry("deny", "g:admin", "update"), *OF_ADMINISTRATORS]
    write(rick, "fixed", fixed)
    kept = [entry("deny", "g:admin", "delete"), *OF_ADMINISTRATORS]
    write(rick, "kept", kept)
    answer = admin.patch_json("/articles", {"progress": 0.5})
    assert answer.json["message"] == "Updated 2 Article(s) objects"
    shown = admin.get("/articles").json["data"]
    assert {one["title"]: one["progress"] for one in shown} == {
        "free": 0.5,
        "fixed": 0,
        "kept": 0.5,
    }
    assert admin.delete("/articles").json["message"] == "Deleted 2 Article(s) objects"
    assert titles(admin.get("/articles")) == ["kept"]
    assert titles(rick.get("/articles")) == ["ricks"]


def take_rights_unheard(engines):
    """Leave articles to rick, in a way that no index hears of."""
    if "sqla" in engines.primaries:
        import sqlalchemy as sa

        with engines.primaries["sqla"].engine.begin() as connection:
            taken = {"acl": json.dumps(RICKS)}
            connection.execute(sa.text("UPDATE article SET _acl = :acl"), taken)
    else:
        from nefertari import engine
        from pymongo.collection import Collection

        heard = engine.get_document_cls("Article")._get_collection()
        unheard = Collection(heard.database, heard.name)
        unheard.update_many({}, {"$set": {"_acl": RICKS}})


def test_a_write_asks_for_the_rights_that_are_there_now(admin, rick, engines):
    write(rick, "kept", OF_ADMINISTRATORS)
    take_rights_unheard(engines)
    assert admin.delete("/articles").json["message"] == "Deleted 0 Article(s) objects"
    assert admin.patch_json("/articles", {"words": 9}).json["message"] == (
        "Updated 0 Article(s) objects"
    )


def test_rights_are_given_and_taken(admin, rick, morty):
    key = write(rick, "t", OF_ADMINISTRATORS)
    assert titles(morty.get("/articles")) == []
    shared = [entry("allow", "morty", "view"), *OF_ADMINISTRATORS]
    admin.patch_json(f"/articles/{key}", {"_acl": shared})
    assert titles(morty.get("/articles")) == ["t"]
    morty.get(f"/articles/{key}")
    admin.patch_json(f"/articles/{key}", {"_acl": OF_ADMINISTRATORS})
    assert titles(morty.get("/articles")) == []
    morty.get(f"/articles/{key}", status=403)
    morty.patch_json(f"/articles/{key}", {"_acl": shared}, status=403)
    admin.put_json(f"/articles/{key}", {"title": "new", "text": "x"})
    assert admin.get(f"/articles/{key}").json["_acl"] == OF_ADMINISTRATORS


BAD_LISTS = [
    "allow",
    ["allow"],
    [{"action": "allow"}],
    [{**RICKS[0], "unless": ["x"]}],
    [entry("permit", "rick", "view")],
    [entry("allow", "rick", "fly")],
    [entry("allow", ["rick"], "view")],
    [entry("allow", None, "view")],
    [entry("allow", "a\0", "view")],
    [["Allow", "rick"]],
]


def test_what_is_no_list_is_a_bad_request(admin):
    for acl in BAD_LISTS:
        fields = {"title": "t", "text": "x", "_acl": acl}
        admin.post_json("/articles", fields, status=400)
    assert admin.get("/articles?_count").json == {"data": 0}


def test_an_embedded_object_is_shown_to_whom_its_list_lets_in(admin, rick):
    profile = {"address": "C-137", "_acl": RICKS}
    admin.post_json("/users/rick/profile", profile)
    assert admin.get("/users/rick").json["profile"] is None
    shown = admin.get("/users?username=rick").json["data"][0]
    assert shown["profile"] is None
    answer = admin.patch_json("/users/rick", {"first_name": "R"}).json
    assert answer["profile"] is None
    fields = admin.get("/users?_fields=username,profile&username=rick").json["data"]
    assert fields[0]["profile"] is None
    assert admin.get("/users?profile.address=C-137").json["total"] == 0
    admin.get("/users?_sort=profile.address", status=400)
    admin.get("/users?profile.address__exists=false", status=400)
    both = [*RICKS, *OF_ADMINISTRATORS]
    admin.patch_json("/users/rick/profile", {"_acl": both})
    assert admin.get("/users/rick").json["profile"]["address"] == "C-137"
    assert admin.get("/users?profile.address=C-137").json["total"] == 1
    answer = admin.patch_json("/users/rick", {"first_name": "R"}).json
    assert answer["profile"]["address"] == "C-137"


def test_a_profile_belongs_to_administrators_and_the_user(admin, morty):
    admin.post_json("/users/morty/profile", {"address": "C-138"})
    shown = admin.get("/users/morty").json["profile"]
    mortys = [entry("allow", "morty", "all")]
    assert shown["_acl"] == [*OF_ADMINISTRATORS, *mortys]


def test_words_do_not_reach_into_embedded_objects(admin, rick, engines):
    if engines.secondary is None:
        pytest.skip("there is no secondary")
    admin.patch_json("/users/rick/profile", {"_acl": RICKS})
    for text in ("137", "profile.address:137", "_exists_:profile", "profile.\\*:137"):
        assert admin.get("/users", {"q": text}).json["data"] == []


# --- programs of nefertari-guards ---------------------------------------------------


@pytest.fixture
def articles(rick, engines):
    """Two that name rick, and the secondary, which is asked for them."""
    if engines.secondary is None:
        pytest.skip("there is no secondary")
    write(rick, "ricks", RICKS)
    write(rick, "nobodys", [NOBODY, *RICKS])
    engines.secondary.refresh(engines.schemas.values())


def test_entries_are_counted_and_replaced(admin, articles, engines):
    import transaction
    from nefertari import engine
    from nefertari_guards import count_ace, update_ace

    article = engine.get_document_cls("Article")
    assert count_ace(RICKS[0], [article]) == {article: 2}
    assert count_ace(NOBODY, [article]) == {article: 1}
    everywhere = count_ace(RICKS[0])
    assert everywhere[engine.get_document_cls("User")] == 0
    update_ace(RICKS[0], OF_ADMINISTRATORS[0])
    transaction.commit()
    engines.secondary.refresh(engines.schemas.values())
    assert count_ace(RICKS[0], [article]) == {article: 0}
    assert titles(admin.get("/articles")) == ["ricks"]


def test_the_scripts_count_and_replace_entries(admin, articles, engines, ini):
    ace = ("--ace", json.dumps(RICKS[0]), "--models", "Article")
    said = run_program("nefertari-guards.count_ace", "-c", ini, *ace)
    assert said == "Model,Count\nArticle,2\n"
    run_program(
        *("nefertari-guards.update_ace", "-c", ini, "--models", "Article"),
        *("--from_ace", json.dumps(RICKS[0])),
        *("--to_ace", json.dumps(OF_ADMINISTRATORS[0])),
    )
    engines.secondary.refresh(engines.schemas.values())
    assert titles(admin.get("/articles")) == ["ricks"]
