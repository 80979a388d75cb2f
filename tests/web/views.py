"""Views that read and write films as JSON."""

from __future__ import annotations

from pyramid.response import Response

from nefertari_engine_base.values import Page
from tests.sync.models import Movie


def includeme(config) -> None:
    for name, view, method in [
        ("movies", list_movies, "GET"),
        ("movies", save_movie, "POST"),
        ("movie", show_movie, "GET"),
        ("movie", rename_movie, "PATCH"),
        ("fail", save_and_fail, "POST"),
        ("veto", save_and_refuse, "POST"),
        ("doom", save_and_doom, "POST"),
        ("look", save_and_look, "POST"),
    ]:
        if method == "GET" or name not in ("movies", "movie"):
            path = {"movies": "/movies", "movie": "/movies/{id}"}.get(name, f"/{name}")
            config.add_route(name, path)
        config.add_view(view, route_name=name, request_method=method, renderer="json")


def as_json(movie):
    return {"id": movie.id, "title": movie.title, "year": movie.year}


def list_movies(request):
    answer = Movie.get_collection(**request.params.mixed())
    if not isinstance(answer, Page):
        return answer
    return {
        "titles": [movie.title for movie in answer],
        "total": answer.total,
        "engine": answer.engine,
    }


def show_movie(request):
    return as_json(Movie.get_item(id=request.matchdict["id"]))


def save_movie(request):
    request.dbsession.add(Movie(**request.json_body))
    return {}


def rename_movie(request):
    movie = request.dbsession.get(Movie, int(request.matchdict["id"]))
    movie.title = request.json_body["title"]
    return {}


def save_and_fail(request):
    save_movie(request)
    request.dbsession.flush()
    raise RuntimeError("after the flush")


def save_and_refuse(request):
    save_movie(request)
    request.dbsession.flush()
    return Response("no", status=409)


def save_and_doom(request):
    save_movie(request)
    request.dbsession.flush()
    request.tm.doom()
    return {}


def save_and_look(request):
    """What each engine sees of a film that is not committed yet."""
    save_movie(request)
    key = request.json_body["id"]
    seen = Movie.get_collection(id=key, _query_secondary=False)
    (same,) = [movie in request.dbsession for movie in seen] or [False]
    indexed = Movie.get_collection(id=key, _refresh_index=True)
    return {
        "primary": [movie.title for movie in seen],
        "secondary": [movie.title for movie in indexed],
        "of this session": same,
    }
