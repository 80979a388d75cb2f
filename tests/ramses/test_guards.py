"""``database_acls``: who sees what, where each object has a list of who may."""

from __future__ import annotations

import pytest

from tests.ramses.conftest import ADMIN, Client, remove_rows


def entry(action, principal, permission):
    return {"action": action, "principal": principal, "permission": permission}


RICKS = [entry("allow", "rick", "all")]
OF_ADMINISTRATORS = [entry("allow", "g:admin", "all")]
PUBLIC = [entry("allow", "everyone", "view"), *OF_ADMINISTRATORS]
NOBODY = entry("deny", "everyone", "all")

LISTS = {
    "public": PUBLIC,
    "ricks": RICKS,
    "administrators": OF_ADMINISTRATORS,
    "nobodys": [NOBODY, *RICKS],
    "members": [
        entry("deny", "morty", "view"),
        entry("allow", "authenticated", "view"),
        NOBODY,
    ],
    "mortys": [entry("allow", "morty", "view"), entry("deny", "morty", "all")],
    "kept": [entry("deny", "morty", "delete"), *PUBLIC],
}

SEEN = {
    "anonymous": ["public", "kept"],
    "morty": ["public", "mortys", "kept"],
    "rick": ["public", "ricks", "members", "kept"],
    "admin": ["public", "administrators", "members", "kept"],
}


@pytest.fixture(scope="module")
def clients(wsgi):
    """Clients by name: an administrator, two users, and a stranger."""
    remove_rows()
    clients = {name: Client(wsgi) for name in SEEN}
    for name in ("rick", "morty"):
        account = {"username": name, "email": f"{name}@x.com", "password": "secret"}
        clients[name].post_json("/auth/register", account)
    clients["admin"].post_json("/auth/login", ADMIN)
    return clients


@pytest.fixture(scope="module")
def articles(clients):
    """Keys of rick's articles by their titles."""
    return {title: write(clients["rick"], title, acl) for title, acl in LISTS.items()}


@pytest.fixture(params=SEEN)
def reader(request, clients, articles):
    """A client, and the titles of what it may see."""
    return clients[request.param], SEEN[request.param]


@pytest.fixture
def anonymous(clients, articles):
    return clients["anonymous"]


def write(client, title, acl, **fields):
    fields = {"title": title, "text": f"a gun for {title}", "_acl": acl, **fields}
    return client.post_json("/articles", fields).json["id"]


def titles(answer):
    return [one["title"] for one in answer.json["data"] if one["_type"] == "Article"]


def test_a_collection_has_what_the_reader_may_see(reader):
    client, seen = reader
    answer = client.get("/articles")
    assert titles(answer) == seen
    assert answer.json["total"] == answer.json["count"] == len(seen)
    assert client.get("/articles?_count").json == {"data": len(seen)}
    assert titles(client.get("/articles?_sort=-id&_fields=title")) == seen[::-1]
    last = client.get(f"/articles?_limit=1&_start={len(seen) - 1}")
    assert (titles(last), last.json["total"]) == (seen[-1:], len(seen))
    assert client.get(f"/articles?_start={len(seen)}").json["data"] == []


def test_an_item_is_shown_to_whom_its_collection_shows_it(reader, articles):
    client, seen = reader
    for title, key in articles.items():
        answer = client.get(f"/articles/{key}", status="*")
        assert answer.status_code == (200 if title in seen else 403)


def test_filters_tell_nothing_of_what_is_hidden(reader, articles):
    client, seen = reader
    for title, key in articles.items():
        expected = [title] if title in seen else []
        for name, value in (("title", title), ("id", key)):
            found = client.get("/articles", {name: value})
            assert titles(found) == expected
            assert found.json["total"] == len(expected)
    assert len(titles(client.get("/articles?author=rick"))) == len(seen)


AROUND = [
    *("_query_secondary=false", "_query_secondary=true", "_hydrate=true"),
    *("_principals=g:admin", "_strict=false&unknown=1", "_raise_on_empty=true"),
]


def test_no_parameter_goes_around_the_filter(reader):
    client, seen = reader
    for query in AROUND:
        found = titles(client.get(f"/articles?{query}"))
        assert sorted(found) == sorted(seen), query


ABOUT_LISTS = [
    *("_acl=x", "_acl.principal=rick", "_acl__exists=1", "_sort=_acl"),
    *("_sort=_acl.principal", "body=x", "body.query=x", "_req_permission=view"),
]


def test_lists_cannot_be_asked_about(anonymous):
    for query in ABOUT_LISTS:
        anonymous.get(f"/articles?{query}", status=400)


def test_several_collections_have_what_the_reader_may_see(reader, articles):
    client, seen = reader
    answer = client.get("/users,articles?_limit=100")
    assert sorted(titles(answer)) == sorted(seen)
    assert answer.json["total"] == answer.json["count"]
    number = client.get("/articles,users?_count").json
    assert number == {"data": answer.json["total"]}
    for title, key in articles.items():
        found = client.get(f"/users,articles?title={title}")
        assert titles(found) == ([title] if title in seen else [])
        answer = client.get(f"/users,articles?id={key}", status="*").json
        assert [one["_pk"] for one in answer.get("data", [])] in ([], [str(key)])
        if title not in seen:
            assert answer.get("total", 0) == 0


def test_keys_of_what_is_hidden_are_not_shown(clients, articles):
    for name in ("morty", "rick", "admin"):
        keys = [articles[title] for title in SEEN[name]]
        for path in ("/users/rick", "/users", "/users,articles"):
            url = path if path == "/users/rick" else f"{path}?username=rick"
            answer = clients[name].get(url).json
            user = answer if "_type" in answer else answer["data"][0]
            assert sorted(user["articles"]) == keys, (name, url)
    changed = clients["rick"].patch_json("/users/rick", {"first_name": "R"}).json
    assert sorted(changed["articles"]) == [articles[title] for title in SEEN["rick"]]


def test_keys_of_what_is_hidden_cannot_be_asked_about(clients, articles, engines):
    morty, hidden = clients["morty"], articles["ricks"]
    for query in (f"articles={hidden}", f"articles__in={hidden}", "_sort=articles"):
        morty.get(f"/users?{query}", status=400)
        assert morty.get(f"/users,articles?{query}", status="*").status_code == 400
    if engines.secondary is not None:
        for text in (f"articles.id:{hidden}", "articles.\\*:*", "_exists_:articles"):
            assert morty.get("/users", {"q": text}).json["data"] == []
        answer = morty.get("/users?_aggs.x.terms.field=articles").json
        assert answer["x"]["buckets"] == []


def test_what_belongs_to_a_user_is_filtered_as_well(reader):
    client, seen = reader
    assert sorted(titles(client.get("/users/rick/articles"))) == sorted(seen)


# --- what only the secondary answers ------------------------------------------------


@pytest.fixture
def secondary(engines):
    if engines.secondary is None:
        pytest.skip("there is no secondary")


def test_words_find_what_the_reader_may_see(secondary, reader):
    client, seen = reader
    assert sorted(titles(client.get("/articles?q=gun"))) == sorted(seen)
    found = client.get("/users,articles?q=gun")
    assert sorted(titles(found)) == sorted(seen)
    assert client.get("/articles?q=gun&_count").json == {"data": len(seen)}


@pytest.mark.parametrize(
    "text",
    [
        *("_acl.principal:rick", "_acl.action:deny", "_exists_:_acl", "_acl.\\*:rick"),
        *("_acl.unless:*", "title:ricks", "nobodys AND gun", "administrators~1"),
    ],
)
def test_words_tell_nothing_of_lists_and_of_what_is_hidden(
    secondary, anonymous, articles, text
):
    for path in ("/articles", "/users,articles"):
        found = anonymous.get(path, {"q": text, "title__exists": "true"})
        assert found.json["data"] == []
    found = anonymous.get("/articles", {"q": text, "_search_fields": "_acl"})
    assert found.json["data"] == []


def test_aggregations_are_of_what_the_reader_may_see(secondary, reader):
    client, seen = reader
    for path in ("/articles", "/users,articles"):
        answer = client.get(f"{path}?_aggs.by.terms.field=title").json
        assert sorted(b["key"] for b in answer["by"]["buckets"]) == sorted(seen)
    answer = client.get("/articles?_aggs.n.value_count.field=id").json
    assert answer["n"]["value"] == len(seen)


@pytest.mark.parametrize(
    ("aggregation", "status"),
    [
        ("terms.field=title&_aggs.x.terms.min_doc_count=0", 400),
        ("global.a=b&_aggs.x.aggs.y.terms.field=title", 400),
        ("top_hits.size=10", 400),
        ("significant_terms.field=title", 400),
        ("filter.term.title=ricks", 400),
        ("nested.path=_acl&_aggs.x.aggs.y.value_count.field=id", 400),
        ("terms.script=1", 400),
        ("terms.field=_acl.principal", 403),
        ("terms.field=email", 403),
    ],
)
def test_aggregations_tell_nothing_of_what_is_hidden(
    secondary, anonymous, articles, aggregation, status
):
    anonymous.get(f"/articles?_aggs.x.{aggregation}", status=status)
    anonymous.get(f"/users,articles?_aggs.x.{aggregation}", status=(400, 403))
