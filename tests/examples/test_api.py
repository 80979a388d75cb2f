"""The films as JSON."""

import pytest


def test_films_are_asked_for_with_the_parameters_of_get_collection(app):
    answer = app.get(
        "/api/movies",
        {
            "director.name": "Ridley Scott",
            "_sort": "-year",
            "_limit": "3",
            "_start": "1",
        },
    ).json
    assert (answer["total"], answer["count"], answer["start"]) == (14, 3, 1)
    assert answer["engine"] == "elasticsearch"
    years = [film["year"] for film in answer["data"]]
    assert years == sorted(years, reverse=True)


def test_operators_lists_and_a_query_string_narrow(app):
    assert app.get("/api/movies?imdb_rating__gte=9&_count").json == 4
    both = app.get("/api/movies?genre.name=Western&genre.name=Horror&_count").json
    assert both == 219 + 36
    named = app.get("/api/movies?q=title:aliens AND director.name:cameron").json
    assert [film["title"] for film in named["data"]] == ["Aliens"]


def test_fields_are_chosen(app):
    film = app.get("/api/movies?q=memento&_fields=title,director&_limit=1").json[
        "data"
    ][0]
    assert film.keys() == {"title", "director", "_pk", "_type"}
    assert film["director"]["name"] == "Christopher Nolan"


def test_the_query_is_explained(app):
    answer = app.get("/api/movies?q=alien&_explain").json
    assert answer["body"]["query"]["query_string"]["query"] == "alien"


def test_aggregations_are_answered(app):
    aggs = '{"best": {"max": {"field": "imdb_rating"}}}'
    answer = app.get("/api/movies", {"_aggs": aggs, "_limit": "0"}).json
    assert answer["aggregations"]["best"]["value"] == 9.2


def test_either_engine_gives_the_same_films_in_the_same_form(app, site):
    query = "/api/movies?year=1994&_sort=title,id&_limit=100&_query_secondary="
    secondary = app.get(query + "1").json
    primary = app.get(query + "0").json
    assert (secondary["engine"], primary["engine"]) == ("elasticsearch", site.primary)
    assert secondary["total"] == primary["total"] == 52
    for one, other in zip(secondary["data"], primary["data"], strict=True):
        one = {key: value for key, value in one.items() if key[:1] != "_"}
        other = {key: value for key, value in other.items() if key[:1] != "_"}
        assert one == other


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("titel=x", "Did you mean title"),
        ("year=soon", "is not an integer"),
        ("_limit=-1", "_limit"),
        ("_unknown=1", "_unknown"),
        ("_aggs=nonsense", "one JSON object"),
        ("q=(unbalanced", ""),
        ("_limit=99999", "pages end"),
    ],
)
def test_a_wrong_parameter_is_a_400_that_names_it(app, query, words):
    answer = app.get(f"/api/movies?{query}", status=400)
    assert answer.content_type == "application/json"
    assert words in answer.json["message"]


def test_a_film_is_created_read_changed_and_deleted(app):
    answer = app.post_json(
        "/api/movies",
        {"title": "Aye-aye Captain", "release_date": "2003-04-05", "us_gross": 12.5,
         "director": "Woody Allen", "mpaa_rating": "PG", "imdb_rating": 8},
        status=201,
    )  # fmt: skip
    address = answer.headers["Location"]
    film = app.get(address).json
    assert film["title"] == "Aye-aye Captain"
    assert (film["year"], film["us_gross"], film["imdb_rating"]) == (2003, "12.50", 8.0)
    assert film["director"]["name"] == "Woody Allen"

    changed = app.patch_json(address, {"title": "Captain Aye-aye"}).json
    assert (changed["title"], changed["year"]) == ("Captain Aye-aye", 2003)
    found = app.get("/api/movies?title=Captain Aye-aye&_refresh_index=1").json
    assert [film["_pk"] for film in found["data"]] == [str(changed["id"])]

    app.put_json(address, {"title": "Only a title"})
    replaced = app.get(address).json
    assert (replaced["year"], replaced["director"]) == (None, None)

    app.delete(address, status=204)
    app.get(address, status=404)
    app.delete(address, status=404)


def test_a_film_that_was_read_can_be_put_back(app, film):
    address = f"/api/movies/{film.id}"
    before = app.get(address).json
    app.put_json(address, before)
    assert app.get(address).json == before


@pytest.mark.parametrize(
    ("given", "errors"),
    [
        ({}, {"title": "must be given"}),
        ({"title": None}, {"title": "must be given"}),
        ({"title": 5}, {"title": "must be text"}),
        ({"title": "x" * 256}, {"title": "must have at most 255 characters"}),
        ({"title": "x", "titel": "y"}, {"titel": "is no field of a film"}),
        ({"title": "x", "imdb_rating": True}, {"imdb_rating": "must be a number"}),
        ({"title": "x", "rotten_tomatoes": 101},
         {"rotten_tomatoes": "must be a whole number from 0 to 100"}),
        ({"title": "x", "release_date": "today"},
         {"release_date": "must be a date such as 1982-06-25"}),
        ({"title": "x", "genre": ["Drama"]}, {"genre": "must be text"}),
        ({"title": "x", "mpaa_rating": "X"},
         {"mpaa_rating": "must be one of G, PG, PG-13, R, NC-17, Not Rated, Open"}),
    ],
)  # fmt: skip
def test_what_cannot_be_a_film_is_a_400_that_names_every_field(app, given, errors):
    assert app.post_json("/api/movies", given, status=400).json["errors"] == errors


def test_what_is_not_json_is_refused(app, film):
    address = f"/api/movies/{film.id}"
    app.patch(address, "{", content_type="application/json", status=400)
    app.patch(address, "[]", content_type="application/json", status=400)
    app.patch(address, '{"title": "x"}', content_type="text/plain", status=415)


def test_a_key_that_is_none_is_a_400_and_one_of_nobody_a_404(app):
    assert "is not an integer" in app.get("/api/movies/abc", status=400).json["message"]
    app.patch_json("/api/movies/abc", {}, status=400)
    app.get("/api/movies/999999999", status=404)
    app.patch_json("/api/movies/999999999", {}, status=404)
    assert app.get("/api/nothing", status=404).json["status"] == 404


def test_a_change_that_fails_leaves_no_trace(app, site):
    app.post_json("/api/movies", {"director": "Nobody At All"}, status=400)
    directors = site.Director.secondary
    assert directors.count(name="Nobody At All", _refresh_index=True) == 0
    assert site.find(site.Director, name="Nobody At All") is None
    assert site.database.count(site.Movie) == 3201
