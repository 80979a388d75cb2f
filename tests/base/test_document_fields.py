"""A method becomes a field: of the type that it says it returns, and of no other."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import NewType, Optional, Union

import pytest

from nefertari_engine_base import document_field
from nefertari_engine_base.annotations import ValueType, describe_annotation
from nefertari_engine_base.document_fields import (
    compute,
    describe_field,
    document_fields_of,
)
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import (
    ConfigurationError,
    ConversionError,
    UnmappableField,
)
from nefertari_engine_base.schema import FieldSchema, ModelSchema


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Shade(enum.StrEnum):
    DARK = "dark"


class Money(Decimal):
    pass


Name = NewType("Name", str)

TYPES = [
    (str, ValueType(Kind.STRING)),
    (int, ValueType(Kind.INTEGER)),
    (float, ValueType(Kind.FLOAT)),
    (bool, ValueType(Kind.BOOLEAN)),
    (Decimal, ValueType(Kind.DECIMAL)),
    (Money, ValueType(Kind.DECIMAL)),
    (dt.date, ValueType(Kind.DATE)),
    (dt.datetime, ValueType(Kind.DATETIME)),
    (dt.time, ValueType(Kind.TIME)),
    (dt.timedelta, ValueType(Kind.INTERVAL)),
    (uuid.UUID, ValueType(Kind.UUID)),
    (bytes, ValueType(Kind.BINARY)),
    (Name, ValueType(Kind.STRING)),
    (Colour, ValueType(Kind.ENUM, enum=Colour, enum_values=("RED", "BLUE"))),
    (Shade, ValueType(Kind.ENUM, enum=Shade, enum_values=("DARK",))),
    (str | None, ValueType(Kind.STRING, nullable=True)),
    (Optional[int], ValueType(Kind.INTEGER, nullable=True)),  # noqa: UP045
    (Union[None, int], ValueType(Kind.INTEGER, nullable=True)),  # noqa: UP007
    (list[int], ValueType(Kind.INTEGER, many=True)),
    (list[int] | None, ValueType(Kind.INTEGER, many=True, nullable=True)),
    (Sequence[str | None], ValueType(Kind.STRING, many=True)),
    (tuple[float, ...], ValueType(Kind.FLOAT, many=True)),
    (Kind.TEXT, ValueType(Kind.TEXT, nullable=True)),
    (list[Kind.TOKEN], ValueType(Kind.TOKEN, many=True)),
    (None, None),
    ("str", None),
    (list, None),
    (tuple[int, str], None),
    (set[int], None),
    (dict[str, int], None),
    (int | str, None),
    (object, None),
]


@pytest.mark.parametrize(("annotation", "expected"), TYPES, ids=str)
def test_an_annotation_says_what_values_are(annotation, expected):
    assert describe_annotation(annotation) == expected


def described(function, type_=None, declared=None, owner=object):
    field = document_field(depends_on=(), type=type_)(function)
    field.__set_name__(owner, "field")
    return describe_field("Model", "field", owner, field, declared)


def test_annotations_as_text_are_looked_up_in_the_module_and_in_the_class():
    class Owner:
        class Inner(enum.Enum):
            A = 1

        date = "a column that is called like a type"

        @document_field(depends_on=())
        def inner(self) -> Inner:
            """What it is."""

        @document_field(depends_on=())
        def when(self) -> dt.date:
            return dt.date(2000, 1, 1)

    fields = document_fields_of(Owner)
    inner = describe_field("Owner", "inner", Owner, fields["inner"], None)
    assert inner.enum is Owner.Inner
    when = describe_field("Owner", "when", Owner, fields["when"], None)
    assert when.kind is Kind.DATE
    assert Owner.inner.__doc__ == "What it is."


def test_an_argument_says_what_an_annotation_does_not():
    assert described(lambda self: 1, int).kind is Kind.INTEGER
    assert described(lambda self: 1, Kind.TEXT).kind is Kind.TEXT


def unknown_name(self) -> NoSuchName:  # noqa: F821
    """Its annotation names nothing."""


def unknown_type(self) -> dict[str, int]:
    """Its annotation has no form in a document."""


@pytest.mark.parametrize(
    ("function", "type_", "named"),
    [
        (lambda self: 1, None, "no return annotation"),
        (unknown_name, None, "NoSuchName"),
        (unknown_type, None, "dict"),
        (lambda self: 1, set[int], "set"),
    ],
)
def test_a_type_without_a_meaning_is_an_error_that_names_model_and_field(
    function, type_, named
):
    with pytest.raises(UnmappableField, match=rf"Model\.field .*{named}") as error:
        described(function, type_)
    assert "annotate what the method returns" in str(error.value)
    declared = object()
    # The application knows how to index it.
    assert described(function, type_, declared).kind is Kind.JSON


@pytest.mark.parametrize("depends_on", ["title", ("title", ""), (1,)])
def test_dependencies_are_a_tuple_of_names(depends_on):
    with pytest.raises(ConfigurationError, match="is no tuple of names"):
        document_field(depends_on=depends_on)


def test_the_nearest_definition_of_a_name_wins():
    def field(function):
        return document_field(depends_on=())(function)

    class Mixin:
        one = field(lambda self: "mixin's")
        two = field(lambda self: "mixin's")
        three = field(lambda self: "mixin's")

    class Base(Mixin):
        two = field(lambda self: "base's")

    class Model(Base):
        three = "no field any more"

    assert document_fields_of(Base).keys() == {"one", "two", "three"}
    assert document_fields_of(Model).keys() == {"one", "two"}
    assert (Model().one, Model().two) == ("mixin's", "base's")
    with pytest.raises(AttributeError, match="two of Model is computed"):
        Model().two = 1
    assert document_fields_of(object) == {}


# --- values ------------------------------------------------------------------------

MODEL = ModelSchema(name="Model", model=object, fields={}, primary_key=("id",))
AT = dt.datetime(2000, 1, 2, 3, 4, tzinfo=dt.timezone(dt.timedelta(hours=2)))

VALUES = [
    (str, "a", "a"),
    (int, 7, 7),
    (float, 1, 1.0),
    (Decimal, 7, "7"),
    (Decimal, Decimal("1.10"), "1.10"),
    (bool, False, False),
    (dt.date, dt.date(2000, 1, 2), "2000-01-02"),
    (dt.datetime, AT, "2000-01-02T01:04:00+00:00"),
    (dt.timedelta, dt.timedelta(seconds=1), 1_000_000),
    (bytes, b"a", "YQ=="),
    (Colour, Colour.RED, "RED"),
    (list[int], (1, 2), [1, 2]),
    (list[list[int]], [[1], []], [[1], []]),
    (list[int], [1, None], [1, None]),
    (int | None, None, None),
    (Kind.JSON, {"a": [1]}, {"a": [1]}),
]
WRONG = [
    (str, 7, "is 7; expected a string"),
    (str, None, "is None; expected a string"),
    (int, "7", "is '7'; expected an integer"),
    (int, 1.5, "is 1.5; expected an integer"),
    (int, True, "is True; expected an integer"),
    (float, Decimal(1), r"is Decimal\('1'\); expected a number"),
    (bool, 1, "is 1; expected true or false"),
    (dt.date, AT, "is datetime.*; expected a date"),
    (dt.datetime, AT.date(), "is datetime.*; expected a date and time"),
    (Colour, "RED", "is 'RED'; expected a member of Colour"),
    (list[int], 7, "is 7; expected a list, each item an integer"),
    (list[int], {7}, r"is \{7\}; expected a list"),
    (list[int], ["7"], "is '7'; expected a list, each item an integer"),
    (str, "\udc00", "is no text"),
    (str, "x" * 1000, None),
]


@pytest.mark.parametrize(("type_", "value", "form"), VALUES, ids=str)
def test_a_value_has_the_form_of_its_type(type_, value, form):
    field = described(lambda self: value, type_)
    assert compute(MODEL, field, "5", None) == form


@pytest.mark.parametrize(("type_", "value", "reason"), WRONG, ids=str)
def test_a_value_of_another_type_is_refused_and_not_converted(type_, value, reason):
    field = described(lambda self: value, type_)
    if reason is None:
        assert compute(MODEL, field, "5", None) == value
        return
    with pytest.raises(ConversionError, match=f"^Model 5: field of Model {reason}"):
        compute(MODEL, field, "5", None)


def test_a_computed_field_is_told_from_a_stored_one():
    fields = {"id": FieldSchema(name="id", kind=Kind.INTEGER, primary_key=True)}
    fields["field"] = described(lambda self: 1, int)
    schema = ModelSchema(name="M", model=object, fields=fields, primary_key=("id",))
    assert list(schema.stored) == ["id"]
    assert list(schema.computed) == ["field"]
    assert schema.computed_among(["id", "field"]) == "field"
    assert schema.computed_among(["id"]) is None
