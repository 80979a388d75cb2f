"""The films as JSON, with the parameters of ``get_collection``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pyramid.httpexceptions import (
    HTTPBadRequest,
    HTTPNoContent,
    HTTPNotFound,
    HTTPUnsupportedMediaType,
)
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config, view_defaults

from examples.movies.validation import apply, check
from nefertari_engine_base.exceptions import InvalidParameter
from nefertari_engine_base.values import Page


# No cookie means anything here, and a page of another site cannot send JSON without
# asking first: there is nothing for a token to protect.
@view_defaults(route_name="api_movies", renderer="json", require_csrf=False)
class Movies:
    """``/api/movies``."""

    def __init__(self, request: Request) -> None:
        self.request = request

    @view_config(request_method="GET")
    def get(self) -> Any:
        """A page of films; with ``_count`` a number, with ``_explain`` the query."""
        films = self.request.models.Movie
        answer = films.get_collection(**_parameters(self.request))
        return _as_json(answer) if isinstance(answer, Page) else answer

    @view_config(request_method="POST")
    def create(self) -> Mapping[str, Any]:
        """A new film."""
        request, movie = self.request, self.request.models.Movie()
        apply(request, movie, check(_body(request)))
        request.store.save(movie)
        request.response.status_int = 201
        request.response.location = request.route_path("api_movie", id=movie.id)
        return _document(movie)


def _as_json(page: Page[Any]) -> Mapping[str, Any]:
    return {
        "data": [_item(page, item) for item in page],
        "count": len(page),
        "total": page.total,
        "start": page.start,
        "took": page.took,
        "engine": page.engine,
        "aggregations": page.aggregations,
    }


def _item(page: Page[Any], item: Any) -> Mapping[str, Any]:
    document = _document(item)
    if page.fields is None:
        return document
    # Rows come whole, whatever was asked for.
    names = {name.partition(".")[0] for name in page.fields} | {"_pk", "_type"}
    return {name: value for name, value in document.items() if name in names}


def _document(film: Any) -> Mapping[str, Any]:
    document: Mapping[str, Any] = film.to_dict()
    return document


@view_defaults(route_name="api_movie", renderer="json", require_csrf=False)
class OneMovie:
    """``/api/movies/{id}``."""

    def __init__(self, request: Request) -> None:
        self.request = request

    @view_config(request_method="GET")
    def get(self) -> Mapping[str, Any]:
        """One film, read in real time."""
        request = self.request
        return _document(request.models.Movie.get_item(id=request.matchdict["id"]))

    @view_config(request_method="PATCH")
    def patch(self) -> Mapping[str, Any]:
        """Change the fields that are given."""
        return self._write(partial=True)

    @view_config(request_method="PUT")
    def put(self) -> Mapping[str, Any]:
        """Change every field; what is not given is unknown from now on."""
        return self._write(partial=False)

    @view_config(request_method="DELETE")
    def delete(self) -> Response:
        """Delete the film."""
        self.request.store.delete(self._row())
        return HTTPNoContent()

    def _write(self, *, partial: bool) -> Mapping[str, Any]:
        request, movie = self.request, self._row()
        apply(request, movie, check(_body(request), partial=partial))
        request.store.save(movie)
        return _document(movie)

    def _row(self) -> Any:
        key = self.request.matchdict["id"]
        if not (key.isdecimal() and len(key) < 10):
            raise HTTPBadRequest(f"{key!r} is no id of a film.")
        movie = self.request.store.find(self.request.models.Movie, id=int(key))
        if movie is None:
            raise HTTPNotFound(f"There is no film {key}.")
        return movie


def _parameters(request: Request) -> dict[str, Any]:
    """The parameters as get_collection takes them: repeated ones as lists."""
    parameters: dict[str, Any] = request.GET.mixed()
    if "_aggs" in parameters:
        try:
            parameters["_aggs"] = json.loads(parameters["_aggs"])
        except (TypeError, ValueError, RecursionError):
            raise InvalidParameter("_aggs", "expected one JSON object.") from None
    return parameters


def _body(request: Request) -> Mapping[str, Any]:
    if request.content_type != "application/json":
        raise HTTPUnsupportedMediaType("Send the film as application/json.")
    try:
        given = request.json_body
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise HTTPBadRequest("Send the film as one JSON object.")
    return given
