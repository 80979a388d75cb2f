"""Articles: every type of field, every way to ask, items, collections."""

from __future__ import annotations

import pytest

EVERYTHING = {
    "title": "  Portal guns ",
    "text": "one two three",
    "subtitle": "ünï",
    "notes": "…",
    "clicks": 2**53 + 1,
    "rating": 5,
    "progress": 0.5,
    "published": True,
    "due_at": "2026-02-18T12:30:00Z",
    "issue_date": "2026-02-18",
    "issue_time": "18:30:00",
    "embargo": 90061,
    "picture": "AAEC",
    "price": 12.5,
    "source": {"any": ["thing", 1]},
    "tags": ["a", "b"],
    "layout": {"columns": 2},
    "kind": "essay",
    "author": "system",
}


@pytest.fixture
def three(admin):
    """Keys of three articles: by system, system, and rick."""
    rick = {"username": "rick", "email": "r@x.com", "password": "secret"}
    admin.post_json("/users", rick)
    texts = {
        "s1": {"text": "portal gun", "words": 9, "price": 1},
        "s2": {"text": "a gun", "price": 2},
        "s3": {"text": "space cruiser", "price": 3, "author": "rick"},
    }
    by = {"author": "system"}
    return [
        admin.post_json("/articles", {"title": title, **by, **fields}).json["id"]
        for title, fields in texts.items()
    ]


def titles(answer):
    return [article["title"] for article in answer.json["data"]]


def test_every_type_of_field_survives_the_way_through_the_index(admin):
    made = admin.post_json("/articles", EVERYTHING, status=201).json
    expected = {
        **EVERYTHING,
        "title": "Portal guns",
        "words": 3,
        "issue_date": "2026-02-18T00:00:00Z",
        "author_id": "system",
        "reviewer": None,
        "updated_at": None,
    }
    for answer in (made, admin.get(f"/articles/{made['id']}").json):
        assert {name: answer[name] for name in expected} == expected
        assert answer["created_at"].endswith("Z")
        assert answer["_self"] == f"http://localhost/articles/{made['id']}"
        assert answer["_pk"] == str(made["id"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"progress": 2},
        {"kind": "poem"},
        {"due_at": "yesterday"},
        {"clicks": "many"},
        {"picture": "not Base64!"},
        {"title": "x" * 101},
        {"text": None},
        {"nonsense": 1},
        {"author": "ghost"},
        {"tags": 5},
    ],
)
def test_a_value_that_is_none_of_its_field_is_a_bad_request(admin, wrong):
    body = {"title": "t", "text": "t", **wrong}
    answer = admin.post_json("/articles", body, status=400).json
    assert answer["status_code"] == 400
    (name,) = wrong
    assert name in answer["message"] or "ghost" in answer["message"]
    assert admin.get("/articles?_count").json == {"data": 0}


def test_articles_are_asked_for_by_fields(admin, three):
    assert titles(admin.get("/articles?title=s2")) == ["s2"]
    assert titles(admin.get("/articles?author=rick")) == ["s3"]
    assert titles(admin.get("/articles?price__gte=2&_sort=-price")) == ["s3", "s2"]
    assert titles(admin.get(f"/articles?id={three[0]}")) == ["s1"]
    assert titles(admin.get("/articles?title=nothing")) == []
    admin.get("/articles?nonsense=1", status=400)


def test_a_page_has_some_of_the_articles(admin, three):
    answer = admin.get("/articles?_limit=1&_page=1&_sort=-id")
    assert titles(answer) == ["s2"]
    assert (answer.json["start"], answer.json["count"]) == (1, 1)
    assert answer.json["total"] == 3
    rest = admin.get("/articles?_start=1&_limit=5&_sort=author,-id")
    assert titles(rest) == ["s2", "s1"]
    assert "_score" in answer.json["data"][0]


def test_fields_are_chosen(admin, three):
    answer = admin.get("/articles?_fields=title&_sort=id").json
    assert answer["data"][0]["title"] == "s1"
    assert answer["data"][0].keys() <= {"title", "_type", "_self", "_pk"}
    assert answer["fields"] == ["title"]
    left = admin.get("/articles?_fields=-text&_sort=id").json["data"][0]
    assert "text" not in left
    assert left["title"] == "s1"


def test_articles_are_counted(admin, three):
    assert admin.get("/articles?_count").json == {"data": 3}
    assert admin.get("/articles?_count&author=rick").json == {"data": 1}


@pytest.mark.parametrize(
    "query", ["_limit=-1", "_limit=x", "_start=1&_page=1", "_sort=nonsense"]
)
def test_a_bad_parameter_is_a_bad_request(admin, query):
    assert admin.get(f"/articles?{query}", status=400).json["status_code"] == 400


def test_several_articles_are_changed_and_deleted(admin, three):
    answer = admin.patch_json("/articles?author=system", {"progress": 0.9})
    assert answer.json["message"] == "Updated 2 Article(s) objects"
    assert [a["progress"] for a in admin.get("/articles?_sort=id").json["data"]] == [
        *(0.9, 0.9, 0),
    ]
    fields = {"title": "new", "text": "t", "tags": ["x"]}
    answer = admin.put_json("/articles?title=s3", fields)
    assert answer.json["message"] == "Updated 1 Article(s) objects"
    shown = admin.get(f"/articles/{three[2]}").json
    assert (shown["title"], shown["tags"], shown["author"]) == ("new", ["x"], None)
    answer = admin.delete("/articles?title=s1")
    assert answer.json["message"] == "Deleted 1 Article(s) objects"
    assert titles(admin.get("/articles?_sort=id")) == ["s2", "new"]
    assert admin.get("/users/system").json["articles"] == [three[1]]
    assert admin.delete("/articles").json["message"] == "Deleted 2 Article(s) objects"
    assert admin.get("/articles?_count").json == {"data": 0}


def test_an_article_is_replaced_and_deleted(admin, three):
    url = f"/articles/{three[0]}"
    answer = admin.put_json(url, {"title": "new", "text": "t"}).json
    assert (answer["title"], answer["price"], answer["author"]) == ("new", None, None)
    assert admin.get("/users/system").json["articles"] == [three[1]]
    assert admin.delete(url).json["message"] == "Deleted"
    admin.get(url, status=404)
    admin.delete("/articles/99999", status=404)
    admin.get("/articles/nonsense", status=404)


def test_an_article_changes_its_author(admin, three):
    admin.patch_json(f"/articles/{three[0]}", {"author": "rick"})
    assert admin.get("/users/system").json["articles"] == [three[1]]
    assert sorted(admin.get("/users/rick").json["articles"]) == [three[0], three[2]]


def test_articles_of_a_user_are_a_collection(admin, three):
    assert titles(admin.get("/users/rick/articles")) == ["s3"]
    assert admin.get(f"/users/rick/articles/{three[2]}").json["title"] == "s3"
    admin.get(f"/users/rick/articles/{three[0]}", status=404)


def test_head_and_options_tell_of_a_collection(admin, three):
    assert admin.head("/articles").status_code == 200
    allowed = admin.options("/articles").headers["Allow"]
    assert allowed == "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
    assert admin.head(f"/articles/{three[0]}").status_code == 200
    allowed = admin.options(f"/articles/{three[0]}").headers["Allow"]
    assert allowed == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"


def test_other_methods_go_through_a_tunnel(admin):
    made = admin.get("/articles?_m=POST&title=t&text=x", status=201).json
    assert made["title"] == "t"
    admin.get(f"/articles/{made['id']}?_m=PATCH&title=new")
    assert admin.get(f"/articles/{made['id']}").json["title"] == "new"
    admin.get(f"/articles/{made['id']}?_m=DELETE")
    admin.get(f"/articles/{made['id']}", status=404)


def test_several_collections_are_asked_at_once(admin, three):
    answer = admin.get("/users,articles").json
    kinds = {document["_type"] for document in answer["data"]}
    assert kinds == {"User", "Article"}
    assert answer["total"] == answer["count"] == 5
    assert {d["_type"] for d in admin.get("/users,nosuch").json["data"]} == {"User"}
    page = admin.get("/users,articles?_limit=2&_start=2&_sort=-_pk", status=400)
    assert page.status_code == 400
    admin.get("/users,articles?nonsense=1", status=400)
    page = admin.get("/users,articles?_limit=2&_start=1&_sort=created_at").json
    assert [d["_pk"] for d in page["data"]] == ["rick", str(three[0])]
    assert admin.get("/users,articles?_count").json == {"data": 5}
    assert admin.get("/users,articles?title=s1").json["total"] == 1


def test_what_one_of_several_collections_lacks_is_missing_in_its_documents(
    admin, three
):
    url = "/users,articles"
    found = admin.get(f"{url}?_fields=title,username&_sort=-username,price").json
    assert [d.get("username", d.get("title")) for d in found["data"]] == [
        *("system", "rick", "s1", "s2", "s3"),
    ]
    assert "price" not in found["data"][2]
    assert found["fields"] == ["title", "username"]
    left_out = admin.get(f"{url}?_fields=-price,-text&_sort=price").json["data"]
    assert [d["_type"] for d in left_out] == [*(["Article"] * 3), "User", "User"]
    assert "price" not in left_out[0]
    assert left_out[0]["title"] == "s1"
    assert admin.get(f"{url}?username=rick&title=s1").json["total"] == 0
    assert admin.get(f"{url}?username=rick&title=s1&_count").json == {"data": 0}
    assert admin.get("/nosuch,neither").json["data"] == []
