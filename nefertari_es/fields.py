"""The table of types: which field of the index holds each kind of value.

The forms that the values have in a document are those of
:mod:`nefertari_engine_base.encoding`. ``_source`` keeps them as they are, so a document
that is read back is exact; a field of the index is what filters, sorting and
searches see of it, and these limits are the index's own:

* date-times are indexed in milliseconds: filters and sorting do not tell apart two
  within the same one. (``date_nanos`` cannot hold years before 1970 or after 2262.)
* decimals are indexed as doubles, so with 15 significant digits.
* NaN, the infinities and decimals beyond the range of a double are not indexed: no
  filter but ``exists=false`` finds the document by them.
* strings beyond 8191 characters are searched as text, but not compared or sorted.
* binary data and JSON are kept and not indexed.
* access control lists are nested objects, which no query string and no aggregation
  reaches by a name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from elasticsearch import dsl

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import ConfigurationError, UnmappableField
from nefertari_engine_base.schema import FieldSchema
from nefertari_engine_base.values import access

FieldFactory = Callable[[FieldSchema], dsl.Field]

#: A term may have 32766 bytes, and a character up to four of them in UTF-8.
#: https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/ignore-above
LONGEST_KEYWORD = 32766 // 4

#: The sub-field that holds the value as one term, beside one that analyses it.
RAW = "raw"


def _keyword(field: FieldSchema) -> dsl.Field:
    return dsl.Keyword(multi=field.many, ignore_above=LONGEST_KEYWORD)


def _raw() -> dict[str, dsl.Field]:
    return {RAW: dsl.Keyword(ignore_above=LONGEST_KEYWORD)}


def _text(field: FieldSchema) -> dsl.Field:
    # Keys are compared, never searched by their words.
    if field.primary_key or field.reference:
        return _keyword(field)
    return dsl.Text(multi=field.many, fields=_raw())


def _integer(field: FieldSchema) -> dsl.Field:
    # One width for all: an index packs numbers by their values, whatever the type,
    # and a narrower one would refuse what SQLite and MongoDB take.
    return dsl.Long(multi=field.many)


def _double(field: FieldSchema) -> dsl.Field:
    return dsl.Double(multi=field.many, ignore_malformed=True)


def _date(field: FieldSchema) -> dsl.Field:
    # The default format takes every form that encoding writes, and the epoch, which
    # the server itself uses for sort values.
    return dsl.Date(multi=field.many)


def _ip(field: FieldSchema) -> dsl.Field:
    # An address with a mask ("10.0.0.5/8") is no value of this type.
    return dsl.Ip(multi=field.many, ignore_malformed=True, fields=_raw())


def _acl(field: FieldSchema) -> dsl.Field:
    # Whole terms, whatever their length: an entry that is left out of the index would
    # deny nobody.
    names = (access.ACTION, access.PRINCIPAL, access.PERMISSION, access.UNLESS)
    return dsl.Nested(properties={name: dsl.Keyword() for name in names})


DEFAULT_FACTORIES: Mapping[Kind, FieldFactory] = {
    Kind.STRING: _text,
    Kind.TEXT: _text,
    Kind.TOKEN: _keyword,
    Kind.ENUM: _keyword,
    Kind.UUID: _keyword,
    Kind.TIME: _keyword,
    Kind.INTEGER: _integer,
    Kind.SMALL_INTEGER: _integer,
    Kind.BIG_INTEGER: _integer,
    Kind.INTERVAL: _integer,
    Kind.FLOAT: _double,
    Kind.DECIMAL: _double,
    Kind.BOOLEAN: lambda field: dsl.Boolean(multi=field.many),
    Kind.DATE: _date,
    Kind.DATETIME: _date,
    Kind.BINARY: lambda field: dsl.Binary(multi=field.many),
    # Without `enabled` an object takes any JSON: numbers, strings, lists of lists.
    Kind.JSON: lambda field: dsl.Object(enabled=False),
    Kind.IP: _ip,
    Kind.NETWORK: lambda field: dsl.IpRange(multi=field.many, fields=_raw()),
    Kind.ACL: _acl,
}


def known_kind(kind: Kind | str) -> Kind:
    """The kind of this name. :raises ConfigurationError: if there is none."""
    try:
        return Kind(kind)
    except ValueError:
        raise ConfigurationError(
            f"{kind!r} is no kind of value: expected one of {', '.join(Kind)}."
        ) from None


class FieldTypes:
    """The table of one application: the defaults and what it adds to them."""

    def __init__(
        self, factories: Mapping[Kind, FieldFactory] = DEFAULT_FACTORIES
    ) -> None:
        self._factories = dict(factories)

    def set(self, kind: Kind, factory: FieldFactory) -> None:
        """Map a kind by this factory from now on."""
        self._factories[kind] = factory

    def make(self, model: str, field: FieldSchema) -> dsl.Field:
        """The field of the index for a field of a model.

        What the application declared for this very field goes before the table.

        :raises UnmappableField: if nothing says how to index it.
        """
        factory = self._factories.get(field.kind)
        made = field.declared
        if made is None and factory is not None:
            made = factory(field)
        if not isinstance(made, dsl.Field):
            type_name = field.kind if made is None else type(made).__qualname__
            raise UnmappableField(model, field.name, type_name)
        return made


#: Types that hold no value that could be compared as a whole.
_NOT_COMPARABLE = frozenset(
    {
        *("text", "match_only_text", "search_as_you_type", "completion"),
        *("binary", "object", "nested", "flattened", "dense_vector", "knn_vector"),
        *("ip_range", "date_range", "long_range", "integer_range"),
        *("double_range", "float_range", "geo_point", "geo_shape"),
    }
)


def exact_name(path: str, definition: Mapping[str, Any]) -> str | None:
    """The field to compare whole values of ``path`` with, as filters and facets do.

    :param definition: the mapping of the field, as the index has it.
    :return: ``path``, or a sub-field of it that is a keyword; ``None`` if neither
        holds whole values.
    """
    if definition.get("type") == "ip":
        return _keyword_of(path, definition) or path
    return ordered_name(path, definition)


def ordered_name(path: str, definition: Mapping[str, Any]) -> str | None:
    """The field to sort ``path`` by, and to compare it by greater and less."""
    if definition.get("type", "object") not in _NOT_COMPARABLE:
        return path
    return _keyword_of(path, definition)


def _keyword_of(path: str, definition: Mapping[str, Any]) -> str | None:
    for name, subfield in definition.get("fields", {}).items():
        if subfield.get("type") == "keyword":
            return f"{path}.{name}"
    return None
