"""Users: reads, writes, and who may do what."""

from __future__ import annotations

from tests.ramses.conftest import authenticated

RICK = {"username": "Rick", "email": "RICK@x.com", "password": "secret"}


@authenticated
def test_everybody_sees_public_fields_of_a_collection(anonymous):
    answer = anonymous.get("/users").json
    assert answer["total"] == answer["count"] == 1
    assert answer["start"] == 0
    assert answer["fields"] == []
    assert "took" in answer
    (user,) = answer["data"]
    assert user == {
        "username": "system",
        "_type": "User",
        "_pk": "system",
        "_self": "http://localhost/users/system",
    }


def test_an_administrator_makes_a_user(admin):
    answer = admin.post_json("/users", RICK, status=201)
    assert answer.headers["Location"] == "http://localhost/users/rick"
    user = answer.json
    assert (user["username"], user["email"]) == ("rick", "rick@x.com")
    assert user["password"].startswith("$2")
    assert (user["_type"], user["_pk"]) == ("User", "rick")
    assert user["_self"] == "http://localhost/users/rick"
    assert (user["groups"], user["settings"]) == (["user"], {})
    assert (user["articles"], user["profile"]) == ([], None)


def test_a_user_is_made_once(admin):
    admin.post_json("/users", RICK)
    answer = admin.post_json("/users", RICK, status=409)
    assert answer.json["message"] == "Resource `User` already exists."
    other = {**RICK, "username": "other"}
    assert admin.post_json("/users", other, status=409).json["status_code"] == 409


def test_a_user_is_shown_with_his_profile_and_the_keys_of_his_articles(admin):
    admin.post_json("/users", RICK)
    admin.post_json("/users/rick/profile", {"address": "C-137"})
    for title in ("One", "Two"):
        admin.post_json("/articles", {"title": title, "text": "t", "author": "rick"})
    user = admin.get("/users/rick").json
    ids = [article["id"] for article in admin.get("/articles").json["data"]]
    assert sorted(user["articles"]) == sorted(ids)
    assert len(ids) == 2
    assert user["profile"]["address"] == "C-137"
    assert user["profile"]["user"] == "rick"
    assert user["profile"]["_type"] == "Profile"


@authenticated
def test_oneself_is_called_self(admin):
    assert admin.get("/users/self").json["username"] == "system"


def test_who_is_not_there_is_not_found(admin):
    answer = admin.get("/users/nobody", status=404)
    assert answer.json["message"] == "'User({'id': 'nobody'})' resource not found"


def test_a_change_is_shown_at_once(admin):
    admin.post_json("/users", RICK)
    answer = admin.patch_json("/users/rick", {"last_name": "Sanchez"})
    assert answer.headers["Location"] == "http://localhost/users/rick"
    assert answer.json["last_name"] == "Sanchez"
    assert answer.json["updated_at"] is not None
    assert admin.get("/users/rick").json["last_name"] == "Sanchez"


def test_a_replaced_user_has_nothing_but_what_was_given(admin):
    admin.post_json("/users", {**RICK, "first_name": "R", "settings": {"a": 1}})
    fields = {"email": "new@x.com", "password": "secret"}
    user = admin.put_json("/users/rick", fields).json
    assert user["username"] == "rick"
    assert user["email"] == "new@x.com"
    assert user["first_name"] is None
    assert user["created_at"] is None
    assert (user["groups"], user["settings"], user["articles"]) == ([], {}, [])


def test_several_users_are_changed_by_a_filter(admin):
    admin.post_json("/users", RICK)
    answer = admin.patch_json("/users?last_name=x", {"first_name": "A"})
    assert answer.json["message"] == "Updated 0 User(s) objects"
    answer = admin.patch_json("/users?username=rick", {"first_name": "A"})
    assert answer.json["message"] == "Updated 1 User(s) objects"
    assert admin.get("/users/rick").json["first_name"] == "A"
    assert admin.get("/users/system").json["first_name"] == ""


def test_a_deleted_user_leaves_every_collection(admin):
    admin.post_json("/users", RICK)
    assert admin.delete("/users/rick").json["message"] == "Deleted"
    admin.get("/users/rick", status=404)
    assert admin.get("/users?_count").json == {"data": 1}


def test_what_the_raml_does_not_name_is_not_allowed(admin):
    admin.delete("/users", status=405)
    admin.options("/users/system", status=405)


def test_an_object_is_changed_by_its_keys(admin):
    admin.post_json("/users", RICK)
    url = "/users/rick/settings"
    assert admin.get(url).json == {}
    assert admin.post_json(url, {"language": "en", "age": 70}, status=201).json == {
        "language": "en",
        "age": 70,
    }
    assert admin.post_json(url, {"-language": ""}).json == {"age": 70}
    assert admin.get("/users/rick").json["settings"] == {"age": 70}


def test_a_list_is_changed_by_its_items(admin):
    admin.post_json("/users", RICK)
    url = "/users/rick/groups"
    assert admin.get(url).json == {"data": ["user"], "count": 1}
    admin.post_json(url, {"admin": "", "-user": ""}, status=201)
    assert admin.get("/users/rick").json["groups"] == ["admin"]
    admin.post_json(url, {"mallory": ""}, status=400)
    found = admin.get("/users?groups=admin&_sort=username").json["data"]
    assert [user["username"] for user in found] == ["rick", "system"]
    assert admin.get("/users?groups=user").json["data"] == []


def test_a_profile_belongs_to_a_user(admin):
    admin.post_json("/users", RICK)
    url = "/users/rick/profile"
    assert admin.get(url).json == {"data": None}
    answer = admin.post_json(url, {"address": "C-137"}, status=201)
    assert answer.headers["Location"] == f"http://localhost{url}"
    assert admin.patch_json(url, {"address": "C-138"}).json["address"] == "C-138"
    assert admin.get(url).json["address"] == "C-138"
    assert admin.get("/users/rick").json["profile"]["address"] == "C-138"
    # A replaced one has nothing but what was given: no user, either.
    assert admin.put_json(url, {"address": "C-139"}).json["user"] is None
    assert admin.get("/users/rick").json["profile"] is None
    admin.post_json(url, {"address": "C-140"}, status=201)
    assert admin.get("/users/rick").json["profile"]["address"] == "C-140"
    assert admin.delete(url).json["message"] == "Deleted"
    assert admin.get("/users/rick").json["profile"] is None
    for method in (admin.patch_json, admin.delete_json):
        method("/users/rick/settings", {"a": 1}, status=405)
