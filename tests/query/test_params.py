"""Parameters become a checked query, or one clear error."""

import datetime as dt
from decimal import Decimal

import pytest

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import InvalidParameter
from nefertari_engine_base.query.params import parse_parameters
from nefertari_engine_base.schema import FieldSchema, ModelSchema, RelationSchema
from nefertari_engine_base.values import Filter, Operator, Sort

DAY = dt.date(1982, 6, 25)


def field(name, kind, **more):
    return FieldSchema(name=name, kind=kind, **more)


DIRECTOR = ModelSchema(
    name="Director",
    model=type("Director", (), {}),
    fields={
        "id": field("id", Kind.INTEGER, primary_key=True),
        "name": field("name", Kind.STRING),
    },
    primary_key=("id",),
)
MOVIE = ModelSchema(
    name="Movie",
    model=type("Movie", (), {}),
    fields={
        "code": field("code", Kind.STRING, primary_key=True),
        "year": field("year", Kind.INTEGER),
        "gross": field("gross", Kind.DECIMAL),
        "seen": field("seen", Kind.BOOLEAN),
        "released": field("released", Kind.DATE),
        "data": field("data", Kind.JSON),
        "size": field("size", Kind.ENUM, enum_values=("small", "large")),
    },
    relations={
        "director": RelationSchema(
            name="director", many=False, document=DIRECTOR, owner_fields=("d_id",)
        )
    },
    hidden={"d_id": field("d_id", Kind.INTEGER)},
    primary_key=("code",),
)


def query(**parameters):
    return parse_parameters(MOVIE, parameters).query


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"year": "1982"}, Filter("year", Operator.EQ, 1982)),
        ({"year": 1982}, Filter("year", Operator.EQ, 1982)),
        ({"year": ["1982", 1983]}, Filter("year", Operator.IN, [1982, 1983])),
        ({"year__in": "1982,1983"}, Filter("year", Operator.IN, [1982, 1983])),
        ({"year__gte": "1980"}, Filter("year", Operator.GTE, 1980)),
        ({"year__exists": "false"}, Filter("year", Operator.EXISTS, False)),
        ({"year": None}, Filter("year", Operator.EXISTS, False)),
        ({"seen__bool": "yes"}, Filter("seen", Operator.EQ, True)),
        ({"seen": "false"}, Filter("seen", Operator.EQ, False)),
        ({"gross": "12.50"}, Filter("gross", Operator.EQ, Decimal("12.50"))),
        ({"released": "1982-06-25"}, Filter("released", Operator.EQ, DAY)),
        ({"size": "small"}, Filter("size", Operator.EQ, "small")),
        ({"director.name": "Scott"}, Filter("director.name", Operator.EQ, "Scott")),
        ({"id": "blade"}, Filter("code", Operator.EQ, "blade")),
        ({"data__exists": 1}, Filter("data", Operator.EXISTS, True)),
    ],
)  # fmt: skip
def test_a_filter_becomes_a_value_of_its_field(parameters, expected):
    assert query(**parameters).filters == (expected,)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"yeer": 1}, "Did you mean year"),
        ({"director.nmae": "x"}, "Did you mean director.name"),
        ({"director": "x"}, "no field 'director'"),
        ({"d_id": 1}, "no field"),
        ({"year": "soon"}, "not an integer of at most"),
        ({"year": 2**63}, "not an integer of at most"),
        ({"year": 1.5}, "not an integer of at most"),
        ({"gross": "NaN"}, "decimal"),
        ({"seen": "perhaps"}, "true or false"),
        ({"released": "25.6.82"}, "a date such as"),
        ({"size": "middling"}, "one of small, large"),
        ({"year__like": 1}, "unknown operator 'like'"),
        ({"data": "{}"}, "__exists"),
        ({"_sort": "-rating"}, "no field 'rating'"),
        ({"_sort": "data"}, "no order"),
        ({"_limit": -1}, "at least 0"),
        ({"_limit": "many"}, "at least 0"),
        ({"_limit": True}, "at least 0"),
        ({"_start": "-1"}, "at least 0"),
        ({"_start": 1, "_page": 1}, "not both"),
        ({"_page": 1, "_limit": None}, "no pages"),
        ({"_fields": "year,yeer"}, "Did you mean year"),
        ({"_search_fields": "nope"}, "no field 'nope'"),
        ({"_aggs": "year"}, "mapping"),
        ({"_lmit": 1}, "Did you mean _limit"),
        ({"_strict": "perhaps"}, "true or false"),
        ({"year__bool": "true"}, "year is"),
    ],
)
def test_a_bad_parameter_is_one_clear_error(parameters, says):
    with pytest.raises(InvalidParameter) as caught:
        query(**parameters)
    assert says in str(caught.value)
    assert caught.value.status == 400


def test_unknown_names_are_ignored_when_the_caller_is_not_strict():
    relaxed = query(_strict="false", nope=1, _sort="nope,year", year=1)
    assert relaxed.filters == (Filter("year", Operator.EQ, 1),)
    assert relaxed.sort == (Sort("year"),)


def test_sorts_limits_pages_and_fields_are_read():
    read = query(
        _sort="-year, director.name", _limit="10", _page="3", _fields="code,year"
    )
    assert read.sort == (Sort("year", descending=True), Sort("director.name"))
    assert (read.limit, read.start) == (10, 30)
    assert read.fields == ("code", "year")


def test_fields_may_be_left_out_instead_of_chosen():
    assert "data" not in query(_fields="-data").fields
    assert "director" in query(_fields="-data").fields


def test_a_page_has_twenty_hits_unless_asked_otherwise_and_none_means_all():
    assert query().limit == 20
    assert query(_limit=None).limit is None


@pytest.mark.parametrize("name", ["__confirmation", "__raise_on_empty"])
def test_names_that_begin_with_two_underscores_are_ignored(name):
    assert query(**{name: "x"}).filters == ()


@pytest.mark.parametrize(
    ("value", "counts"), [("", True), (True, True), ("1", True), ("false", False)]
)
def test_count_is_asked_for_by_its_presence(value, counts):
    assert parse_parameters(MOVIE, {"_count": value}).count is counts


def test_an_empty_full_text_query_is_none():
    assert query(q="").text is None
    assert query(q="alien").needs_secondary
