"""The pages, as a visitor with a browser sees them."""

import re

import pytest


def total(page):
    return int(page.html.select_one("#total strong").text.replace(",", ""))


def titles(page):
    return [heading.text.strip() for heading in page.html.select("#films h3")]


def facet_link(page, facet, label):
    for link in page.html.select(f"#facet-{facet} a"):
        if link.select_one(".label").text == label:
            return link
    raise LookupError(label)


def count_of(link):
    return int(re.sub(r"\D", "", link.select_one(".count").contents[0]))


def test_the_first_page_shows_all_films_with_facets_and_histograms(app):
    page = app.get("/")
    assert total(page) == 3201
    assert len(titles(page)) == 24
    assert len(page.html.select(".facet")) == 4
    assert len(page.html.select(".chart")) == 2
    assert "answered by elasticsearch" in page


def test_a_text_finds_films_in_which_every_word_is(app):
    page = app.get("/", {"q": "dark knight"})
    assert titles(page)[0] == "The Dark Knight"
    for card in page.html.select(".card"):
        assert "dark" in card.text.lower()
        assert "knight" in card.text.lower()
    assert [mark.text for mark in page.html.select("h3 mark")][:2] == ["Dark", "Knight"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("shawsh", "The Shawshank Redemption"),
        ("Spider-Man 2", "Spider-Man 2"),
        ("2001: A Space Odyssey", "2001: A Space Odyssey"),
        ("300", "300"),
        ("déjà vu", "Déjà Vu"),
        ("nolan memento", "Memento"),
    ],
)
def test_a_film_is_found_by_what_people_type(app, text, title):
    assert title in titles(app.get("/", {"q": text}))


def test_a_word_that_is_not_wanted_keeps_films_away(app):
    wanted = titles(app.get("/", {"q": "star -trek"}))
    assert wanted
    assert not any("Trek" in title for title in wanted)


@pytest.mark.parametrize(
    "text",
    [
        '"',
        "((",
        "a AND",
        "NOT",
        "[1 TO",
        "title:",
        "*",
        "/x",
        "\\",
        "~2",
        "^",
        "🎬",
        "a:b:c",
        "&&",
    ],
)
def test_any_text_is_answered(app, text):
    app.get("/", {"q": text}, status=200)


def test_a_facet_narrows_and_a_second_click_widens_again(app):
    page = app.get("/")
    link = facet_link(page, "genre", "Horror")
    narrowed = app.get(link["href"])
    assert total(narrowed) == count_of(link) == 219
    chosen = facet_link(narrowed, "genre", "Horror")
    assert chosen["aria-current"] == "true"
    assert total(app.get(chosen["href"])) == 3201


def test_two_values_of_one_facet_are_alternatives(app):
    page = app.get(facet_link(app.get("/"), "genre", "Horror")["href"])
    western = facet_link(page, "genre", "Western")
    assert count_of(western) == 36
    assert total(app.get(western["href"])) == 219 + 36


def test_facets_of_two_kinds_combine_with_a_text_and_a_histogram(app):
    page = app.get("/", {"q": "the"})
    page = app.get(facet_link(page, "genre", "Comedy")["href"])
    page = app.get(facet_link(page, "mpaa", "R")["href"])
    bar = page.html.select_one("[aria-labelledby=years] a[aria-label^='2000s']")
    expected = int(re.search(r": ([\d,]+) films", bar["aria-label"])[1])
    page = app.get(bar["href"])
    assert total(page) == expected > 0
    chips = [chip.contents[0] for chip in page.html.select(".chips a:not(.all)")]
    assert chips == ["Comedy", "R", "2000\N{EN DASH}2009"]
    for card in page.html.select(".card"):
        assert "Comedy" in card.text
        assert re.search(r"\b200\d\b", card.text)


def test_a_bar_of_the_ratings_narrows_to_its_films(app):
    bar = app.get("/").html.select_one("[aria-labelledby=ratings] a[aria-label^='8.5']")
    page = app.get(bar["href"])
    scores = [score.contents[-1] for score in page.html.select(".card .score")]
    assert scores
    assert all(8.5 <= float(score) < 9 for score in scores)


def test_films_are_sorted_as_asked(app):
    oldest = app.get("/", {"sort": "oldest"})
    assert titles(oldest)[0] == "The Birth of a Nation"
    gross = app.get("/", {"sort": "gross"})
    assert titles(gross)[:2] == ["Avatar", "Titanic"]


def test_pages_follow_each_other_without_gap_or_repetition(app):
    seen = []
    page = app.get("/", {"genre": "Musical", "sort": "title"})
    while True:
        seen += [link["href"] for link in page.html.select("#films a")]
        following = page.html.select_one("a[rel=next]")
        if following is None:
            break
        page = app.get(following["href"])
    assert len(seen) == len(set(seen)) == 53


def test_a_number_that_is_none_is_a_clear_400(app):
    page = app.get("/", {"imdb": "high"}, status=400)
    assert "no number" in page.html.select_one(".message").text
    page = app.get("/", {"mpaa": "XYZ"}, status=400)
    assert "one of G, PG" in page.html.select_one(".message").text


def test_a_page_beyond_what_the_index_shows_is_a_clear_400(app):
    assert "pages end" in app.get("/", {"page": "9000"}, status=400)


def test_a_film_that_is_not_there_is_a_404(app):
    assert "There is no such film" in app.get("/films/99999999", status=404)
    assert "There is no such director" in app.get("/directors/99999999", status=404)
    app.get("/films/99999999/edit", status=404)
    app.get("/nothing", status=404)


# --- changing ----------------------------------------------------------------


def edit(app, film, **values):
    form = app.get(f"/films/{film.id}/edit").forms[1]
    for name, value in values.items():
        form[name] = value
    return form.submit(expect_errors=True)


def test_an_edited_film_is_found_changed_by_the_very_next_search(app, film):
    page = edit(app, film, title="The Capybara Affair", imdb_rating="9.9").follow()
    assert page.html.h1.text == "The Capybara Affair"
    assert "Saved." in page
    found = app.get("/", {"q": "capybara"})
    assert titles(found) == ["The Capybara Affair"]
    assert "9.9" in found.html.select_one(".card .score").text
    assert titles(app.get("/", {"q": "okapi"})) == []


def test_a_film_gets_a_director_who_is_new_and_one_who_is_known(app, film, site):
    edit(app, film, director="Bartholomew Quince").follow()
    assert titles(app.get("/", {"q": "bartholomew quince"})) == ["The Okapi Affair"]
    edit(app, film, director="Woody Allen").follow()
    allen = site.find(site.Director, name="Woody Allen")
    listed = site.Director.secondary.get_item(id=allen.id)
    assert film.id in [other.id for other in listed.films]
    edit(app, film, director="Ottoline Fairweather")
    site.remove_director(name="Bartholomew Quince")


def test_what_is_wrong_in_a_form_is_said_at_the_field_and_nothing_is_saved(app, film):
    page = edit(
        app, film, title=" ", release_date="1999-02-30", imdb_rating="11",
        running_time="1.5", us_gross="many",
    )  # fmt: skip
    assert page.status_int == 400
    errors = {
        error["id"].removesuffix("-error"): error.text
        for error in page.html.select(".field .error")
    }
    assert errors == {
        "title": "Title must be given.",
        "release_date": "Release date must be a date such as 1982-06-25.",
        "imdb_rating": "IMDb rating must be a number from 0 to 10.",
        "running_time": "Running time must be a whole number from 1 to 1,000.",
        "us_gross": "US gross must be a number.",
    }
    wrong = page.html.select_one("#us_gross")
    assert (wrong["value"], wrong["aria-invalid"]) == ("many", "true")
    assert app.get(f"/films/{film.id}").html.h1.text == "The Okapi Affair"


def test_a_film_is_added_and_deleted(app):
    form = app.get("/films/new").forms[1]
    form["title"] = "Tapirs at Dawn"
    form["release_date"] = "2009-09-09"
    form["mpaa_rating"] = "PG-13"
    form["us_gross"] = "$1,234.50"
    page = form.submit().follow()
    assert "$1,234" in page
    assert titles(app.get("/", {"q": "tapirs"})) == ["Tapirs at Dawn"]
    page = app.get(page.request.path).click("Edit")
    gone = page.forms[2].submit().follow()
    assert "is deleted" in gone
    assert titles(app.get("/", {"q": "tapirs"})) == []
    app.get(page.request.path, status=404)


def test_a_renamed_director_is_renamed_in_the_documents_of_all_films(app, site):
    allen = site.find(site.Director, name="Woody Allen")
    number = len(allen.films)
    form = app.get(f"/directors/{allen.id}").forms[1]
    form["name"] = "Allan Konigsberg"
    page = form.submit().follow()
    assert f"documents of {number} films" in page
    assert total(app.get("/", {"director": "Allan Konigsberg"})) == number == 16
    assert total(app.get("/", {"director": "Woody Allen"})) == 0
    form = app.get(f"/directors/{allen.id}").forms[1]
    form["name"] = "Woody Allen"
    form.submit().follow()
    assert total(app.get("/", {"director": "Woody Allen"})) == number


def test_a_director_cannot_take_the_name_of_another(app, site):
    allen = site.find(site.Director, name="Woody Allen")
    form = app.get(f"/directors/{allen.id}").forms[1]
    form["name"] = "Spike Lee"
    assert "name of another director" in form.submit(status=400)
    form["name"] = "  "
    assert "must be given" in form.submit(status=400)


# --- what must not happen ----------------------------------------------------


def test_a_form_without_its_token_changes_nothing(app, film):
    app.get(f"/films/{film.id}/edit")
    page = app.post(f"/films/{film.id}/edit", {"title": "Taken over"}, status=400)
    assert "Open it again" in page
    app.post(f"/films/{film.id}/delete", status=400)
    assert app.get(f"/films/{film.id}").html.h1.text == "The Okapi Affair"


SCRIPT = "<script>alert(1)</script>"


def test_text_of_users_is_shown_and_never_run(app, film, site):
    title, name = f"{SCRIPT} quagga", f'"><img src=x onerror=alert(1)> {SCRIPT}'
    edit(app, film, title=title, director=name, genre=SCRIPT, source=SCRIPT).follow()
    key = site.find(site.Director, name=name).id
    for address in (
        "/?q=quagga", f"/?q={SCRIPT}", f"/?director={SCRIPT}", f"/?genre={SCRIPT}",
        f"/films/{film.id}", f"/films/{film.id}/edit", f"/directors/{key}",
        "/films/new",
    ):  # fmt: skip
        page = app.get(address)
        assert len(page.html.select("script")) == 1, address
        assert page.html.select("script")[0].get("src"), address
        assert not page.html.select("img"), address
        assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert titles(app.get("/?q=quagga")) == [title]
    page = app.get(f"/?mpaa={SCRIPT}", status=400)
    assert len(page.html.select("script")) == 1
    edit(app, film, director="Ottoline Fairweather", genre="")
    site.remove_director(id=key)


def test_a_character_that_no_database_can_store_is_refused(app, film):
    page = edit(app, film, title="nul \0 byte")
    assert page.status_int == 400
    assert "cannot be stored" in page


def test_films_are_not_changed_by_looking_at_them(app, film, site):
    app.get(f"/films/{film.id}/delete", status=404)
    assert site.find(site.Movie, id=film.id)
