"""What is mended in the films, rule by rule."""

from datetime import date
from decimal import Decimal

import pytest

from examples.movies import data, source
from examples.movies.data import Repairs
from examples.movies.models import Rating


@pytest.fixture
def repairs():
    return Repairs()


@pytest.mark.parametrize(
    ("raw", "mended", "rule"),
    [
        ("Alien", "Alien", None),
        (300, "300", "titles that were numbers"),
        (None, "Untitled", "missing titles"),
        ("LÈon", "Léon", "titles in a wrong encoding"),
        ("The Naked Gun 2Ω", "The Naked Gun 2½", "titles in a wrong encoding"),
        ("Alien³", "Alien³", None),
        ("Ri¢hie Ri¢h", "Ri¢hie Ri¢h", None),
        ("Halloween:  The Curse", "Halloween: The Curse", "doubled blanks"),
    ],
)
def test_a_title_is_text_in_the_right_encoding(raw, mended, rule, repairs):
    assert data.mend_title(raw, repairs) == mended
    assert dict(repairs.counts) == ({rule: 1} if rule else {})


@pytest.mark.parametrize(
    ("raw", "mended", "rule"),
    [
        ("Jun 12 1998", date(1998, 6, 12), None),
        ("12-Jun-98", date(1998, 6, 12), None),
        ("1/1/1963", date(1963, 1, 1), None),
        ("1998-06-12", date(1998, 6, 12), None),
        ("Dec 15 2039", date(1939, 12, 15), "dates in the wrong century"),
        ("9-Mar-33", date(1933, 3, 9), "dates in the wrong century"),
        ("Dec 23 2011", date(2011, 12, 23), None),
        ("Dec 31 1969", None, "dates that were zero"),
        ("1955", date(1955, 1, 1), "dates that were years"),
        ("TBA", None, "dates that were none"),
        (None, None, None),
    ],
)
def test_a_date_is_read_in_every_form_and_put_into_its_century(
    raw, mended, rule, repairs
):
    assert data.mend_date(raw, repairs) == mended
    assert dict(repairs.counts) == ({rule: 1} if rule else {})


@pytest.mark.parametrize("raw", ["Distributor Unknown", "N/A", "unknown", ""])
def test_a_name_that_means_nobody_is_none(raw, repairs):
    assert data.mend_name(raw, repairs) is None
    assert repairs.total == 1


@pytest.mark.parametrize(
    ("us", "worldwide", "mended"),
    [
        (0, 0, (None, None)),
        (0, 22139590, (Decimal(0), Decimal(22139590))),
        (5, 5, (Decimal(5), Decimal(5))),
        (None, None, (None, None)),
        ("$1,000", "2,000", (Decimal(1000), Decimal(2000))),
        ("Unknown", "Unknown", (None, None)),
    ],
)
def test_a_gross_of_nothing_in_all_the_world_is_unknown(us, worldwide, mended, repairs):
    raw = {"US_Gross": us, "Worldwide_Gross": worldwide}
    assert data._grosses(raw, repairs) == mended


def test_a_number_has_the_type_of_its_column(repairs):
    assert repr(data.number(7, repairs)) == "7.0"
    assert repr(data.whole("97", repairs)) == "97"
    assert data.whole("many", repairs) is None
    assert data.dollars(146083, repairs) == Decimal(146083)
    assert dict(repairs.counts) == {"numbers that were text": 2}


def test_all_3201_films_are_read_and_155_values_mended(films):
    found, repairs = films
    assert len(found) == 3201
    assert dict(repairs.counts) == {
        "grosses that nobody knows": 94,
        "dates in the wrong century": 22,
        "titles in a wrong encoding": 18,
        "titles that were numbers": 9,
        "dates that were zero": 8,
        "doubled blanks": 2,
        "missing titles": 1,
        "names that mean nobody": 1,
    }


def test_what_no_rule_mends_is_in_the_film_as_it_was_in_the_file(films):
    land_girls = films[0][0]
    assert land_girls.columns == {
        "title": "The Land Girls",
        "release_date": date(1998, 6, 12),
        "year": 1998,
        "mpaa_rating": Rating.R,
        "running_time": None,
        "source": None,
        "creative_type": None,
        "us_gross": Decimal(146083),
        "worldwide_gross": Decimal(146083),
        "us_dvd_sales": None,
        "production_budget": Decimal(8000000),
        "rotten_tomatoes": None,
        "imdb_rating": 6.1,
        "imdb_votes": 1071,
    }
    assert (land_girls.director, land_girls.distributor) == (None, "Gramercy")


def test_both_spellings_of_the_keys_are_read(repairs):
    record = {
        "Title": "Alien", "US Gross": 1, "Worldwide Gross": 2, "US DVD Sales": None,
        "Production Budget": 3, "Release Date": "May 25 1979", "MPAA Rating": "R",
        "Running Time min": 117, "Distributor": "20th Century Fox", "Source": None,
        "Major Genre": "Horror", "Creative Type": None, "Director": "Ridley Scott",
        "Rotten Tomatoes Rating": 97, "IMDB Rating": 8, "IMDB Votes": 100,
    }  # fmt: skip
    film = data.read_film(record, repairs)
    assert film.columns["release_date"] == date(1979, 5, 25)
    assert (film.genre, film.director) == ("Horror", "Ridley Scott")


def test_a_file_that_is_another_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "movies.json"
    other.write_text("[]")
    monkeypatch.setenv("MOVIES_JSON", str(other))
    with pytest.raises(source.FilmsMissing, match=r"is not movies\.json"):
        source.find_films()
