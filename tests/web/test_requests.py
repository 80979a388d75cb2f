"""Requests of a Pyramid application: transactions, answers, errors and their status."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyramid.response import Response
from webtest import TestApp

from nefertari_engine_base import EngineError
from nefertari_engine_base.exceptions import InvalidParameter
from tests.application import assert_index_equals_rows
from tests.sync.models import Movie

#: Nobody listens there: the port is reserved (RFC 1700, tcpmux).
NOBODY = "http://127.0.0.1:1"

#: Seconds that nothing here takes, unless it hangs.
FOREVER = 120

NUMBERS = itertools.count(1)


@pytest.fixture
def movie():
    """A film that no other test has."""
    number = next(NUMBERS)
    return {"id": number, "title": f"Film {number}", "year": 1900 + number}


def found(app, **parameters):
    return app.web.get("/movies", {"_refresh_index": "true", **parameters}).json


# --- transactions ----------------------------------------------------------------


def test_what_a_request_has_committed_is_found_by_the_next_one(app, movie):
    app.web.post_json("/movies", movie)
    answer = found(app, id=movie["id"])
    assert answer == {"titles": [movie["title"]], "total": 1, "engine": "elasticsearch"}
    assert app.web.get(f"/movies/{movie['id']}").json == movie
    app.web.patch_json(f"/movies/{movie['id']}", {"title": "Renamed"})
    assert found(app, q="Renamed", id=movie["id"])["total"] == 1
    assert_index_equals_rows(app, [Movie])


def test_a_request_that_raises_leaves_nothing(app, movie):
    with pytest.raises(RuntimeError, match="after the flush"):
        app.web.post_json("/fail", movie)
    assert_was_never_saved(app, movie)


def test_a_doomed_request_leaves_nothing(app, movie):
    app.web.post_json("/doom", movie)
    assert_was_never_saved(app, movie)


def test_a_request_whose_commit_fails_leaves_nothing(app, movie):
    app.web.post_json("/movies", movie)
    with pytest.raises(sa.exc.IntegrityError):
        app.web.post_json("/movies", {**movie, "title": "Twice"})
    assert found(app, id=movie["id"])["titles"] == [movie["title"]]
    assert app.waiting() == 0


def test_a_response_that_vetoes_the_commit_leaves_nothing(make_app, movie):
    app = make_app(tm__commit_veto="pyramid_tm.default_commit_veto")
    app.web.post_json("/veto", movie, status=409)
    assert_was_never_saved(app, movie)


def assert_was_never_saved(app, movie):
    assert found(app, id=movie["id"])["total"] == 0
    assert found(app, id=movie["id"], _query_secondary="false")["total"] == 0
    assert app.web.get(f"/movies/{movie['id']}", status=404)
    assert app.waiting() == 0


def test_reads_of_the_primary_use_the_session_of_the_request(app, movie):
    answer = app.web.post_json("/look", movie).json
    assert answer == {
        "primary": [movie["title"]],
        "secondary": [],
        "of this session": True,
    }
    assert found(app, id=movie["id"])["total"] == 1


def test_two_requests_at_a_time_do_not_share_a_session(make_app, movie):
    flushed, read = threading.Event(), threading.Event()
    sessions = []

    def save(request):
        sessions.append(request.dbsession)
        request.dbsession.add(Movie(**movie))
        request.dbsession.flush()
        flushed.set()
        assert read.wait(FOREVER)
        return {"seen": Movie.count(_query_secondary=False)}

    def look(request):
        assert flushed.wait(FOREVER)
        try:
            seen = Movie.count(_query_secondary=False)
            sessions.append(request.dbsession)
            return {"seen": seen}
        finally:
            read.set()

    def configure(config):
        for view in (save, look):
            config.add_route(view.__name__, f"/two/{view.__name__}")
            config.add_view(view, route_name=view.__name__, renderer="json")

    app = make_app(configure)
    with ThreadPoolExecutor(2) as threads:
        saving = threads.submit(app.web.get, "/two/save")
        looking = threads.submit(TestApp(app.web.app).get, "/two/look")
    assert (looking.result().json, saving.result().json) == ({"seen": 0}, {"seen": 1})
    assert sessions[0] is not sessions[1]
    assert found(app)["total"] == 1


def test_many_requests_at_a_time_are_all_indexed(app):
    first = next(NUMBERS) + 10_000
    movies = [{"id": first + n, "title": "At once", "year": first} for n in range(12)]

    def post(movie):
        return TestApp(app.web.app).post_json("/movies", movie).status_code

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(post, movies)) == [200] * len(movies)
    assert found(app, year=first, _limit=50)["total"] == len(movies)
    assert app.waiting() == 0


# --- errors ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"titel": "x"}, "titel"),
        ({"year": "abc"}, "year"),
        ({"year": str(10**30)}, "year"),
        ({"year__gt": ""}, "year__gt"),
        ({"year__near": "1982"}, "year__near"),
        ({"rating": "nan"}, "rating"),
        ({"gross": "NaN"}, "gross"),
        ({"released": "yesterday"}, "released"),
        ({"id__in": "1,x"}, "id__in"),
        ({"director": "1"}, "director"),
        ({"director.nothing": "1"}, "director.nothing"),
        ({"director.id": "x"}, "director.id"),
        ({"_limit": "-1"}, "_limit"),
        ({"_limit": "many"}, "_limit"),
        ({"_start": "-1"}, "_start"),
        ({"_page": "1", "_start": "1"}, "_page"),
        ({"_sort": "nothing"}, "_sort"),
        ({"_fields": "nothing"}, "_fields"),
        ({"_search_fields": "nothing", "q": "x"}, "_search_fields"),
        ({"_aggs": "years"}, "_aggs"),
        ({"_unknown": "1"}, "_unknown"),
        ({"_strict": "perhaps"}, "_strict"),
        ({"_refresh_index": "perhaps"}, "_refresh_index"),
        ({"q": "alien", "_query_secondary": "false"}, "q"),
        ({"title__exists": "perhaps"}, "title__exists"),
    ],
    ids=lambda given: urlencode(given) if isinstance(given, dict) else "",
)
def test_a_bad_parameter_is_a_400_that_names_it(app, parameters, named):
    response = app.web.get("/movies", parameters, status=400)
    assert f"Parameter {named!r}" in response.json["message"]


@pytest.mark.parametrize("q", ["title:(", "[1 TO", '"', "AND"])
def test_a_full_text_query_that_is_wrong_is_a_400(app, q):
    response = app.web.get("/movies", {"q": q}, status=400)
    assert response.json["message"]
    assert "Traceback" not in response.text


def test_a_page_that_is_too_deep_is_a_400(app):
    assert app.web.get("/movies", {"_start": "20000"}, status=400).json["message"]
    assert app.web.get("/movies", {"_limit": str(10**9)}, status=400).json["message"]


@pytest.mark.parametrize("key", ["x", "1.5", "%20", "1,2", str(10**30), "%00"])
def test_an_id_that_can_be_none_is_a_400(app, key):
    response = app.web.get(f"/movies/{key}", status=400)
    assert "Parameter 'id'" in response.json["message"]


@pytest.mark.parametrize("key", ["999999999", "-5"])
def test_an_id_that_nobody_has_is_a_404(app, key):
    assert "Movie" in app.web.get(f"/movies/{key}", status=404).json["message"]


def test_nothing_found_is_a_404_only_if_asked_for(app):
    assert found(app, title="nothing")["total"] == 0
    app.web.get("/movies", {"title": "nothing", "_raise_on_empty": "1"}, status=404)


def test_a_message_cannot_smuggle_html_into_a_page(app):
    response = app.web.get(
        "/movies",
        {"<script>": "1"},
        headers={"Accept": "text/html"},
        status=400,
    )
    assert "<script>" not in response.text


NAMES = st.sampled_from(
    [
        *("id", "title", "year", "rating", "gross", "released", "director_id", "notes"),
        *("director.name", "director.country.name", "genres.id", "genres", "slug", ""),
        *("title.raw", "_id", "_sync.version", "_", "__", ".", "q", "_sort", "_limit"),
        *("_start", "_page", "_fields", "_search_fields", "_count", "_explain"),
        *("_strict", "_hydrate", "_raise_on_empty", "_aggs", "_query_secondary"),
    ]
)
SUFFIXES = st.sampled_from(
    ["", "", "", "__in", "__all", "__gt", "__lte", "__exists", "__bool", "__", "__x"]
)
VALUES = st.sampled_from(
    [
        "", "1", "-1", "0", "1.5", "1e400", "-1e-400", "inf", "-Infinity", "nan",
        "null", "none", "true", "false", "x", "a,b", ",", "1,,2", "_all", "1982-06-25",
        "0000-00-00", "10000-01-01", "1982-06-25T20:15:00Z", str(2**31), str(2**63),
        str(-(2**63)), str(2**64), "9" * 400, "1_000", "\u0661", "title", "-title",
        "-", "+id", "director.name", "-director.name", "id,id", "{}", "\x00", "\ud7ff",
        "é☃\U0001f3ac", "*", "x" * 9000, " 1 ", "5" * 25 + ".5",
    ]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)  # fmt: skip
PARAMETERS = st.lists(
    st.tuples(st.builds("{}{}".format, NAMES, SUFFIXES), VALUES), max_size=3
)
ENGINES = st.sampled_from([[], [("_query_secondary", "false")]])


@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(PARAMETERS, ENGINES)
@example([("id__bool", "true")], [("_query_secondary", "false")])
def test_no_query_string_whatsoever_is_an_error_of_the_server(app, parameters, engine):
    query = urlencode([*parameters, *engine])
    response = app.web.get(f"/movies?{query}", expect_errors=True)
    assert response.status_code in (200, 400, 404), parameters
    if response.status_code != 200:
        assert response.json["message"]


def test_full_text_is_a_503_while_the_server_is_away_and_other_reads_are_answered(
    make_app, movie
):
    app = make_app(search_url=NOBODY)
    app.web.post_json("/movies", movie)
    response = app.web.get("/movies", {"q": "film"}, status=503)
    assert "again later" in response.json["message"]
    answer = app.web.get("/movies", {"year": movie["year"]}).json
    assert answer == {"titles": [movie["title"]], "total": 1, "engine": "sqla"}
    assert app.web.get(f"/movies/{movie['id']}").json == movie
    app.web.get("/movies/999", status=404)
    assert app.waiting() == 1


def test_an_exception_view_of_the_application_takes_the_place_of_the_default_one(
    make_app,
):
    def answer(error, request):
        return Response(f"ours: {type(error).__name__}", status=418)

    app = make_app(lambda config: config.add_exception_view(answer, EngineError))
    response = app.web.get("/movies", {"nothing": "1"}, status=418)
    assert response.text == "ours: InvalidParameter"
    assert app.web.get("/movies/999", status=418).text == "ours: DocumentNotFound"


def test_an_exception_view_for_one_error_leaves_the_others_to_the_default_one(make_app):
    def answer(error, request):
        return Response(error.parameter, status=422)

    app = make_app(lambda config: config.add_exception_view(answer, InvalidParameter))
    assert app.web.get("/movies", {"nothing": "1"}, status=422).text == "nothing"
    app.web.get("/movies/999", status=404)
