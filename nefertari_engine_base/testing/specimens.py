"""A model with a field of every kind, and values that are easy to get wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.schema import FieldSchema, ModelSchema, RelationSchema
from nefertari_engine_base.values.access import Entry


class Colour(Enum):
    """An enumeration whose stored names are not in the order of its members."""

    RED = 1
    BLUE = 2
    GREEN = 3


def _entry(action: str, principal: str, permission: str) -> dict[str, str]:
    return Entry(action, principal, permission).as_dict()


#: Values of each kind, in their order where the kind has one.
SAMPLES: Mapping[Kind, Sequence[Any]] = {
    Kind.STRING: ("", "Zebra", "apple pie", "ärger", "日本", "😀"),
    Kind.TEXT: ("A text. Of two sentences.", "b", 'quotes " and \\ and \n'),
    Kind.TOKEN: ("08:00:2b:01:02:03", "Token", "token"),
    Kind.INTEGER: (-5, 0, 2**31),
    Kind.SMALL_INTEGER: (-32768, 7, 32767),
    Kind.BIG_INTEGER: (-(2**63), 2**53, 2**53 + 1, 2**63 - 1),
    Kind.FLOAT: (-1e300, 0.1, 1e300),
    Kind.DECIMAL: (Decimal("-12.50"), Decimal("0.10"), Decimal("123456789.0123")),
    Kind.BOOLEAN: (False, True),
    Kind.DATE: (date(1, 1, 1), date(1969, 12, 31), date(9999, 12, 31)),
    Kind.DATETIME: (
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(2020, 2, 29, 23, 59, 59, tzinfo=UTC),
        datetime(2020, 2, 29, 23, 59, 59, 1000, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ),
    Kind.TIME: (time(0, 0), time(9, 5, 0, 1), time(23, 59, 59, 999_999)),
    Kind.INTERVAL: (-timedelta(days=1), timedelta(microseconds=1), timedelta(weeks=9)),
    Kind.BINARY: (b"", b"\x00\xff", b"text"),
    Kind.ENUM: (Colour.BLUE, Colour.GREEN, Colour.RED),
    Kind.UUID: (UUID(int=0), UUID(int=2**127), UUID(int=2**128 - 1)),
    Kind.JSON: ({"a": [1, {"b": None}]}, [1, "x", [2]], "text", 5, [], {}),
    Kind.IP: tuple(map(ip_address, ("1.2.3.4", "9.255.0.1", "10.0.0.1", "fe80::1"))),
    Kind.NETWORK: tuple(map(ip_network, ("10.0.0.0/8", "192.168.1.0/24", "fe80::/10"))),
    Kind.ACL: (
        [],
        [_entry("deny", "bob", "view"), _entry("allow", "friends", "all")],
        [_entry("allow", "bob", "view"), _entry("deny", "everyone", "all")],
    ),
}

#: The kinds that values are compared of, and whether these have an order.
ORDERED: Mapping[Kind, bool] = {
    kind: kind is not Kind.NETWORK
    for kind in SAMPLES
    if kind not in {Kind.BINARY, Kind.JSON, Kind.ACL}
}


def field_name(kind: Kind) -> str:
    """The specimen's field of a kind."""
    return kind.value


class Specimen:
    """A model whose rows nobody stores."""

    id: Any
    maker: Any

    def shout(self) -> str:
        """A method of the primary that reads an embedded document."""
        return str(self.maker.name).upper()

    @property
    def label(self) -> str:
        """A property of the primary."""
        return f"Specimen {self.id}"


def _schema(
    model: type, fields: Sequence[FieldSchema], *relations: RelationSchema
) -> ModelSchema:
    key = FieldSchema(name="id", kind=Kind.INTEGER, primary_key=True, nullable=False)
    return ModelSchema(
        name=model.__name__,
        model=model,
        fields={field.name: field for field in (key, *fields)},
        primary_key=("id",),
        relations={relation.name: relation for relation in relations},
        guarded=any(field.kind is Kind.ACL for field in fields),
    )


def _of_kind(kind: Kind) -> FieldSchema:
    if kind is Kind.ENUM:
        return FieldSchema(
            name=field_name(kind),
            kind=kind,
            enum=Colour,
            enum_values=("red", "blue", "green"),
        )
    return FieldSchema(name=field_name(kind), kind=kind, timezone=kind is Kind.DATETIME)


_NAME = FieldSchema(name="name", kind=Kind.STRING)
_PERSON = _schema(type("Person", (), {}), [_NAME])
_NOTE = _schema(
    type("Note", (), {}),
    [
        FieldSchema(name="text", kind=Kind.STRING),
        FieldSchema(name="stars", kind=Kind.INTEGER),
    ],
    RelationSchema(name="author", many=False, document=_PERSON),
)

#: Every kind, a list, names that document classes have methods of, and embedded
#: documents: one, and a list of such that embed one in turn.
SPECIMEN = _schema(
    Specimen,
    [
        *(_of_kind(kind) for kind in SAMPLES),
        FieldSchema(name="tags", kind=Kind.TOKEN, many=True),
        *(
            FieldSchema(name=name, kind=Kind.TOKEN)
            for name in ("search", "meta", "get", "items")
        ),
    ],
    RelationSchema(name="maker", many=False, document=_PERSON),
    RelationSchema(name="notes", many=True, document=_NOTE),
)

_RIGHTS = FieldSchema(name="acl", kind=Kind.ACL)
_MEMBER = _schema(type("Member", (), {}), [_NAME, _RIGHTS])

#: A model whose documents have access control lists, and embed others that have, too.
GUARDED = _schema(
    type("Guarded", (), {}),
    [FieldSchema(name="title", kind=Kind.STRING), _RIGHTS],
    RelationSchema(name="chief", many=False, document=_MEMBER),
    RelationSchema(name="crew", many=True, document=_MEMBER),
)
