"""What each dotted name of a model is in its index, worked out once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import InvalidParameter
from nefertari_engine_base.schema import FieldSchema, ModelSchema
from nefertari_es.documents import BaseDocument
from nefertari_es.fields import exact_name, ordered_name
from nefertari_es.index.mapping import mapping_body

#: Kinds that a query of words has nothing to find in.
_NOT_SEARCHED = frozenset({Kind.BINARY, Kind.JSON, Kind.ACL})


@dataclass(frozen=True, slots=True)
class IndexedField:
    """One field of the documents, reached by a dotted name.

    :attr exact: the name to compare whole values with, for filters and facets;
        ``None`` if the index cannot.
    :attr ordered: the name to sort by and to compare ranges with, or ``None``.
    :attr type: the type of the index's field, such as ``keyword``.
    :attr nested: paths of the nested objects around it, the outermost first.
    :attr item: the field, as one of its values where it holds many.
    """

    path: str
    type: str
    exact: str | None
    ordered: str | None
    nested: tuple[str, ...]
    item: FieldSchema


@dataclass(frozen=True)
class IndexedModel:
    """A model that is attached: its schema, its class and its alias."""

    schema: ModelSchema
    document: type[BaseDocument]
    alias: str

    @cached_property
    def fields(self) -> Mapping[str, IndexedField]:
        """Every field, by dotted name."""
        properties = mapping_body(self.document)["properties"]
        return {
            field.path: field for field in _walk(self.schema, properties, prefix="")
        }

    def field(self, path: str) -> IndexedField:
        """The field of this name. :raises InvalidParameter: if there is none."""
        try:
            return self.fields[path]
        except KeyError:
            raise InvalidParameter(
                path, f"{self.schema.name} has no such field."
            ) from None

    @cached_property
    def searched(self) -> list[str]:
        """Names of the fields that a text searches if it names none."""
        return [
            path
            for path, field in self.fields.items()
            if field.item.kind not in _NOT_SEARCHED
        ]

    @cached_property
    def contents(self) -> frozenset[str]:
        """Every name that can be asked for: fields, and embedded documents."""
        relations = (path.rpartition(".")[0] for path in self.fields)
        return frozenset(self.fields) | {path for path in relations if path}


#: Types whose values a server compares with each other.
_NUMBERS = frozenset({"byte", "short", "integer", "long", "float", "double"})


def shared_name(models: Sequence[IndexedModel], path: str) -> str | None:
    """What a field is called, for its whole values, in the indices of several models.

    :return: ``None`` if the index cannot compare its values.
    :raises InvalidParameter: if no model has the field. Or if two have it in different
        ways: a server would not say that it left the values of one of them out.
    """
    fields = [model.fields[path] for model in models if path in model.fields]
    if not fields:
        names = " or ".join(model.schema.name for model in models)
        raise InvalidParameter(path, f"{names} has no such field.")
    exact = {field.exact for field in fields}
    types = {"number" if field.type in _NUMBERS else field.type for field in fields}
    if len(exact) > 1 or len(types) > 1:
        raise InvalidParameter(
            path,
            f"{' and '.join(model.schema.name for model in models)} hold different "
            f"kinds of values in it; ask for each of them alone.",
        )
    return exact.pop()


def _walk(
    schema: ModelSchema,
    properties: Mapping[str, Any],
    prefix: str,
    nested: tuple[str, ...] = (),
) -> Iterator[IndexedField]:
    for name, field in schema.fields.items():
        path, definition = prefix + name, properties[name]
        yield IndexedField(
            path=path,
            type=definition.get("type", "object"),
            exact=exact_name(path, definition),
            ordered=ordered_name(path, definition),
            nested=nested,
            item=dataclasses.replace(field, many=False),
        )
    for name, relation in schema.relations.items():
        path, definition = prefix + name, properties[name]
        around = (*nested, path) if definition.get("type") == "nested" else nested
        yield from _walk(
            relation.document, definition["properties"], f"{path}.", around
        )
