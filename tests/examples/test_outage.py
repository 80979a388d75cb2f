"""The search engine is away: what still works, and what says so."""

import time

from examples.movies.compare import compare
from tests.examples.test_pages import edit, titles, total


def test_films_are_browsed_from_the_database_under_a_banner(site, app):
    with site.outage():
        page = app.get("/", {"genre": "Horror", "from": "1980", "to": "1989"})
        assert "The search engine does not answer" in page.html.select_one(".away").text
        assert f"answered by {site.primary}" in page
        assert not page.html.select(".facet, .chart")
        titles_away, total_away = titles(page), total(page)
        assert "The search engine does not answer" in app.get("/films/5")
    page = app.get("/", {"genre": "Horror", "from": "1980", "to": "1989"})
    assert (titles(page), total(page)) == (titles_away, total_away)
    assert not page.html.select(".away")


def test_a_text_is_answered_with_503_and_a_way_on(site, app):
    with site.outage():
        page = app.get("/", {"q": "alien"}, status=503)
        assert "Full-text search" in page.html.select_one(".message").text
        assert page.headers["Retry-After"] == "5"
        assert page.html.find("a", string="Browse the films without a search")
    assert app.get("/", {"q": "alien"})


def test_the_json_says_which_engine_answered_or_503(site, app):
    with site.outage():
        answer = app.get("/api/movies?year=1994&_limit=1")
        assert answer.json["engine"] == site.primary
        answer = app.get("/api/movies?q=alien", status=503)
        assert answer.json["status"] == 503
        assert answer.content_type == "application/json"


def test_a_film_is_saved_at_once_and_found_when_the_engine_is_back(site, app, film):
    with site.outage():
        begun = time.monotonic()
        page = edit(app, film, title="The Wombat Affair").follow()
        assert time.monotonic() - begun < 5
        assert page.html.h1.text == "The Wombat Affair"
        assert sum(outbox.waiting() for outbox in site.engines.outboxes())
    assert not sum(outbox.waiting() for outbox in site.engines.outboxes())
    assert titles(app.get("/", {"q": "wombat"})) == ["The Wombat Affair"]
    assert titles(app.get("/", {"q": "okapi"})) == []


def test_a_film_that_is_deleted_meanwhile_is_gone_when_the_engine_is_back(site, app):
    created = app.post_json("/api/movies", {"title": "Dugong Days"}).json
    films = site.Movie.secondary
    assert films.count(title="Dugong Days", _refresh_index=True) == 1
    with site.outage():
        app.delete(f"/api/movies/{created['id']}", status=204)
    assert films.count(title="Dugong Days", _refresh_index=True) == 0
    assert compare(site.engines).differences == []
