"""The pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config, view_defaults

from examples.movies.choice import SORTS, Choice
from examples.movies.results import find
from examples.movies.validation import FIELDS, Invalid, apply, check

_TEMPLATES = "examples.movies:templates"

#: In the session of a visitor who has changed something that a search must show.
_CHANGED = "changed"


def _saved(request: Request, message: str) -> None:
    request.session[_CHANGED] = True
    request.session.flash(message)


@view_config(route_name="search", renderer=f"{_TEMPLATES}/search.jinja2")
def search(request: Request) -> Mapping[str, Any]:
    """Films by text, facets, years and ratings."""
    refresh = request.session.pop(_CHANGED, False)
    choice = Choice.of(request.GET)
    results = find(request.models.Movie, choice, refresh=refresh)
    return {"results": results, "choice": choice, "sorts": SORTS}


@view_config(route_name="film", renderer=f"{_TEMPLATES}/film.jinja2")
def film(request: Request) -> Mapping[str, Any]:
    """One film, read in real time: it shows what was just saved."""
    models = request.models
    movie = _document(request, models.Movie)
    return {
        "movie": movie,
        "complete": not isinstance(movie, models.Movie),
        "document": movie.to_dict(),
        "others": _other_films(models.Director, movie),
    }


def _document(request: Request, model: Any) -> Any:
    """A document in real time; the row while the search engine does not answer."""
    found = model.get_item(id=request.matchdict["id"], _raise_on_empty=False)
    if found is None:
        raise _missing(model)
    return found


def _missing(model: type) -> HTTPNotFound:
    kind = "film" if model.__name__ == "Movie" else model.__name__.lower()
    return HTTPNotFound(f"There is no such {kind}.")


def _other_films(directors: Any, movie: Any) -> list[Any]:
    if movie.director is None:
        return []
    director = directors.get_item(id=movie.director.id, _raise_on_empty=False)
    films = director.films if director else ()
    others = [other for other in films if other.id != movie.id]
    return sorted(others, key=lambda other: other.year or 0, reverse=True)


@view_config(route_name="delete_film", request_method="POST")
def delete_film(request: Request) -> HTTPSeeOther:
    """Delete a film."""
    movie = _row(request, request.models.Movie)
    request.store.delete(movie)
    _saved(request, f"“{movie.title}” is deleted.")
    return HTTPSeeOther(request.route_path("search"))


def _row(request: Request, model: Any) -> Any:
    found = request.store.find(model, id=int(request.matchdict["id"]))
    if found is None:
        raise _missing(model)
    return found


@view_defaults(renderer=f"{_TEMPLATES}/edit.jinja2")
class EditFilm:
    """The form of a film, empty or filled."""

    def __init__(self, request: Request) -> None:
        self.request = request

    @view_config(route_name="new_film", request_method="GET")
    def new(self) -> Mapping[str, Any]:
        """An empty form."""
        return self._form(None, {})

    @view_config(route_name="edit_film", request_method="GET")
    def edit(self) -> Mapping[str, Any]:
        """The form with the values of a film."""
        movie = self._movie()
        return self._form(movie, _form_values(movie))

    @view_config(route_name="new_film", request_method="POST")
    def create(self) -> Any:
        """Save a new film."""
        return self._save(None)

    @view_config(route_name="edit_film", request_method="POST")
    def update(self) -> Any:
        """Save the changes of a film."""
        return self._save(self._movie())

    def _movie(self) -> Any:
        return _row(self.request, self.request.models.Movie)

    def _save(self, known: Any | None) -> Any:
        request = self.request
        given = {field.name: request.POST.get(field.name, "") for field in FIELDS}
        try:
            values = check(given)
        except Invalid as error:
            request.response.status_int = 400
            return self._form(known, given, error.errors)
        movie = request.models.Movie() if known is None else known
        apply(request, movie, values)
        request.store.save(movie)
        _saved(request, "Saved.")
        return HTTPSeeOther(request.route_path("film", id=movie.id))

    def _form(
        self,
        movie: Any | None,
        values: Mapping[str, str],
        errors: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        store, models = self.request.store, self.request.models
        return {
            "movie": movie,
            "fields": FIELDS,
            "values": values,
            "errors": errors or {},
            "suggestions": {
                "director": store.names(models.Director),
                "distributor": store.names(models.Distributor),
                "genre": store.names(models.Genre),
            },
        }


def _form_values(movie: Any) -> dict[str, str]:
    values = {}
    for field in FIELDS:
        value = getattr(movie, field.name)
        if field.name in ("director", "distributor", "genre"):
            value = value and value.name
        elif field.kind == "money" and value is not None:
            # Cents are shown where there are any.
            value = int(value) if value == int(value) else value
        values[field.name] = "" if value is None else str(value)
    return values


@view_config(route_name="director", renderer=f"{_TEMPLATES}/director.jinja2")
def director(request: Request) -> Any:
    """A director with the films; a POST changes the name, in every film's document."""
    if request.method == "POST":
        return _rename(request)
    model = request.models.Director
    found = _document(request, model)
    return _director_page(found, complete=not isinstance(found, model))


def _director_page(director: Any, **more: Any) -> dict[str, Any]:
    # The best first; those that nobody has rated last.
    films = sorted(director.films, key=lambda film: -(film.imdb_rating or 0))
    return {"director": director, "films": films, "complete": True, **more}


def _rename(request: Request) -> Any:
    row = _row(request, request.models.Director)
    name = " ".join(request.POST.get("name", "").split())
    error = _name_error(request, row, name)
    if error:
        request.response.status_int = 400
        return _director_page(row, error=error, given=name)
    row.name = name
    request.store.save(row)
    _saved(request, f"Saved, and with it the documents of {len(row.films)} films.")
    return HTTPSeeOther(request.route_path("director", id=row.id))


def _name_error(request: Request, row: Any, name: str) -> str | None:
    if not name:
        return "must be given"
    try:
        check({"director": name}, partial=True)
    except Invalid as error:
        return error.errors["director"]
    other = request.store.find(request.models.Director, name=name)
    if other is not None and other.id != row.id:
        return "is the name of another director"
    return None
