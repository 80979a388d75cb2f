"""Which address is what, and what every answer carries."""

from __future__ import annotations

from pyramid.config import Configurator
from pyramid.events import NewResponse

#: The browser runs and shows nothing but what this application serves itself.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}

#: No more digits than a key of the database may have.
_ID = r"{id:\d{1,9}}"


def includeme(config: Configurator) -> None:
    """Add routes, static files and headers."""
    config.add_static_view("static", "examples.movies:static", cache_max_age=300)
    config.add_route("search", "/")
    config.add_route("new_film", "/films/new")
    config.add_route("film", f"/films/{_ID}")
    config.add_route("edit_film", f"/films/{_ID}/edit")
    config.add_route("delete_film", f"/films/{_ID}/delete")
    config.add_route("director", f"/directors/{_ID}")
    config.add_route("api_movies", "/api/movies")
    config.add_route("api_movie", "/api/movies/{id}")
    config.add_subscriber(_add_headers, NewResponse)


def _add_headers(event: NewResponse) -> None:
    event.response.headers.update(_HEADERS)
