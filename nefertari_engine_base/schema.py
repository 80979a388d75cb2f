"""Engine-neutral description of a model: what a primary knows of it and what a
secondary makes its documents from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from functools import cached_property
from typing import Any

from nefertari_engine_base import document_ids, encoding
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import InvalidDocumentId, InvalidParameter


class Reindex(StrEnum):
    """When a change of an embedded row is carried to the documents it is in."""

    #: When the row changes and when the link to it changes.
    ALWAYS = "always"
    #: When the link changes; copies of the row's fields may be stale.
    LINK = "link"
    #: Only when the document itself is written for another reason.
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Nested:
    """How a relation is embedded: ``@secondary(nested={"director": Nested(...)})``.

    :param fields: names of the fields to embed; ``None`` means those that the
        related model indexes itself.
    :param reindex: see :class:`Reindex`.
    """

    fields: tuple[str, ...] | None = None
    reindex: Reindex | str = Reindex.ALWAYS


@dataclass(frozen=True, slots=True)
class SecondaryOptions:
    """What ``@secondary`` was told about one model.

    :param nested: dotted paths of relations to embed, with how.
    :param fields: the secondary engine's own field for a name, where the table of
        types would choose another.
    :param exclude: names of fields that stay out of the index.
    :param query_secondary: overrides the setting ``nefertari.query_secondary``.
    :param when: of the model's class makes the condition, in the primary's own terms,
        under which an instance has a document.
    """

    nested: Mapping[str, Nested] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    exclude: tuple[str, ...] = ()
    query_secondary: bool | None = None
    when: Callable[[type], Any] | None = None

    @classmethod
    def of(
        cls,
        *,
        nested: Mapping[str, Nested] | Sequence[str] = (),
        fields: Mapping[str, Any] | None = None,
        exclude: Sequence[str] = (),
        query_secondary: bool | None = None,
        when: Callable[[type], Any] | None = None,
    ) -> SecondaryOptions:
        """Options from the shapes that ``@secondary`` accepts."""
        if not isinstance(nested, Mapping):
            nested = {path: Nested() for path in nested}
        return cls(
            dict(nested), dict(fields or {}), tuple(exclude), query_secondary, when
        )


@dataclass(frozen=True, kw_only=True)
class FieldSchema:
    """One field: a column of SQL, a field of a MongoDB document.

    :attr many: the value is a list of values of this kind.
    :attr reference: holds (a part of) the key of another model's row.
    :attr length: largest number of characters or bytes, where declared.
    :attr enum: the Python enumeration of an enumerated field.
    :attr enum_values: the strings that the primary stores for its members, in the
        order of the members; also set where the choices are plain strings.
    :attr declared: the secondary engine's own field, given by the application.
    :attr compute: from an instance of the primary's class to the value, for a field
        that the primary does not store.
    """

    name: str
    kind: Kind
    many: bool = False
    primary_key: bool = False
    reference: bool = False
    nullable: bool = True
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    timezone: bool = False
    enum: type[Enum] | None = None
    enum_values: tuple[str, ...] = ()
    declared: Any = None
    compute: Callable[[Any], Any] | None = None

    def encode(self, value: Any) -> Any:
        """The value as it stands in the document: something that JSON can hold."""
        if value is None:
            return None
        if self.many:
            return [self._encode_item(item) for item in value]
        return self._encode_one(value)

    def decode(self, value: Any) -> Any:
        """The value of the primary, from its form in the document."""
        if value is None:
            return None
        if self.many:
            return [self._decode_item(item) for item in value]
        return self._decode_one(value)

    def parse(self, text: Any, parameter: str | None = None) -> Any:
        """The value that a parameter of a request means.

        :raises InvalidParameter: if it is no value of this kind.
        """
        parameter = parameter or self.name
        try:
            if self.kind is Kind.ENUM:
                return text if isinstance(text, Enum) else self._decode_one(text)
            return encoding.parse(self.kind, text, timezone=self.timezone)
        except (ValueError, TypeError, ArithmeticError, KeyError) as error:
            expected = encoding.DESCRIPTIONS[self.kind]
            if self.enum_values:
                expected = "one of " + ", ".join(self.enum_values)
            raise InvalidParameter(parameter, f"{text!r} is not {expected}.") from error

    def _encode_one(self, value: Any) -> Any:
        if self.kind is Kind.ENUM:
            return self._enum_names[value] if self.enum else value
        return encoding.CODECS[self.kind].encode(value)

    def _decode_one(self, value: Any) -> Any:
        if self.kind is Kind.ENUM:
            return self._enum_members[value]
        return encoding.CODECS[self.kind].decode(value)

    def _encode_item(self, item: Any) -> Any:
        if isinstance(item, list | tuple):
            return [self._encode_item(inner) for inner in item]
        return None if item is None else self._encode_one(item)

    def _decode_item(self, item: Any) -> Any:
        if isinstance(item, list):
            return [self._decode_item(inner) for inner in item]
        return None if item is None else self._decode_one(item)

    @cached_property
    def _enum_members(self) -> dict[str, Any]:
        if self.enum is None:
            return {value: value for value in self.enum_values}
        return dict(zip(self.enum_values, self.enum, strict=True))

    @cached_property
    def _enum_names(self) -> dict[Any, str]:
        return {member: name for name, member in self._enum_members.items()}


@dataclass(frozen=True, kw_only=True)
class RelationSchema:
    """A relation whose rows are embedded in the documents of its owner, or read by its
    computed fields.

    Exactly one of ``owner_fields``, ``target_fields``, ``through`` and ``inline`` says
    where the link is stored.

    :attr many: the owner has a list of them.
    :attr document: schema of the embedded rows, with what they embed in turn.
    :attr owner_fields: fields of the owner that hold the target's key, in the
        order of the target's primary key (many-to-one); or, with ``many``, the one
        field that holds a list of keys.
    :attr target_fields: fields of the target that hold the owner's key, in the
        order of the owner's primary key (one-to-many).
    :attr through: the link is stored in a table of its own (many-to-many).
    :attr inline: what is embedded is a part of the owner, and has no key of its own.
    :attr dangling: nothing keeps the owner from holding the key of what is not there
        yet, or no more. It can so be looked up by the key alone.
    """

    name: str
    many: bool
    document: ModelSchema
    owner_fields: tuple[str, ...] = ()
    target_fields: tuple[str, ...] = ()
    through: bool = False
    inline: bool = False
    dangling: bool = False
    reindex: Reindex = Reindex.ALWAYS
    declared: Any = None

    @property
    def target(self) -> str:
        """Name of the related model."""
        return self.document.name

    @property
    def is_guarded(self) -> bool:
        """Whether it shows contents of rows that have access control lists. The key
        of a row that the owner itself holds is the owner's content."""
        shown = self.document
        if not shown.guarded:
            return False
        only_key = not shown.relations and tuple(shown.fields) == shown.primary_key
        return not (only_key and self.owner_fields)


@dataclass(frozen=True, kw_only=True)
class ModelSchema:
    """A model as its documents show it.

    :attr name: the model's class name, unique among the models of a registry.
    :attr model: the primary's class.
    :attr primary_key: names of the fields that make the key, in its order. They
        are fields of the document, whatever the options leave out.
    :attr hidden: fields that the primary reads for its own purposes (references of
        embedded relations, keys) and that are no part of the document.
    :attr bases: names of the mapped classes that the model inherits from.
    :attr internals: names of class attributes that are the primary's own affair and
        no behaviour of the model.
    :attr condition: under which an instance has a document, in the primary's own
        terms; ``None``: under any.
    :attr condition_fields: what the condition looks at.
    :attr depended: fields of the primary that computed fields read, or that a relation
        is ordered by which leads here, in the document or not.
    :attr followed: relations that computed fields read, with what they read there in
        turn. A name may be among the embedded relations, too.
    :attr guarded: rows of the model have an access control list, which the document
        may leave out.
    """

    name: str
    model: type
    fields: Mapping[str, FieldSchema]
    primary_key: tuple[str, ...]
    relations: Mapping[str, RelationSchema] = field(default_factory=dict)
    hidden: Mapping[str, FieldSchema] = field(default_factory=dict)
    bases: tuple[str, ...] = ()
    internals: frozenset[str] = frozenset()
    options: SecondaryOptions = field(default_factory=SecondaryOptions)
    condition: Any = None
    condition_fields: frozenset[str] = frozenset()
    depended: frozenset[str] = frozenset()
    followed: Mapping[str, RelationSchema] = field(default_factory=dict)
    guarded: bool = False

    @cached_property
    def stored(self) -> Mapping[str, FieldSchema]:
        """The fields of the document that the primary stores."""
        return {n: f for n, f in self.fields.items() if f.compute is None}

    @cached_property
    def computed(self) -> Mapping[str, FieldSchema]:
        """The fields of the document that are computed from an instance."""
        return {n: f for n, f in self.fields.items() if f.compute is not None}

    def computed_among(self, names: Iterable[str]) -> str | None:
        """The first of these dotted names that is a computed field's.

        :raises KeyError: if there is no such field.
        """
        return next((n for n in names if self.find(n)[1].compute is not None), None)

    @cached_property
    def acl(self) -> str | None:
        """Name of the document's field that holds the access control list, if any."""
        return next((n for n, f in self.fields.items() if f.kind is Kind.ACL), None)

    @cached_property
    def key_fields(self) -> tuple[FieldSchema, ...]:
        """The fields of the primary key, in its order."""
        return tuple(self.column(name) for name in self.primary_key)

    def column(self, name: str) -> FieldSchema:
        """A field of the document or a hidden one. :raises KeyError:"""
        return self.fields.get(name) or self.hidden[name]

    def document_id(self, key: Sequence[Any]) -> str:
        """The document's id, from the values of the primary key in its order."""
        return document_ids.join(
            [
                part.encode(value)
                for part, value in zip(self.key_fields, key, strict=True)
            ]
        )

    def parse_id(self, document_id: object) -> tuple[Any, ...]:
        """The values of the primary key, from a document's id.

        :raises InvalidDocumentId: if it is no id of this model.
        """
        try:
            parts = document_ids.split(str(document_id), len(self.primary_key))
            return tuple(
                part.parse(text)
                for part, text in zip(self.key_fields, parts, strict=True)
            )
        except (ValueError, InvalidParameter) as error:
            expected = ", ".join(
                f"{part.name} ({encoding.DESCRIPTIONS[part.kind]})"
                for part in self.key_fields
            )
            raise InvalidDocumentId(self.name, document_id, expected) from error

    def find(self, path: str) -> tuple[tuple[RelationSchema, ...], FieldSchema]:
        """The relations and the field that a dotted name leads through.

        :raises KeyError: if there is no such field.
        """
        schema, relations = self, []
        *steps, name = path.split(".")
        for step in steps:
            relation = schema.relations[step]
            relations.append(relation)
            schema = relation.document
        return tuple(relations), schema.fields[name]

    def follow(self, path: str) -> tuple[RelationSchema, ...]:
        """The relations, embedded or followed, of a dotted path.

        :raises KeyError: if there is no such path.
        """
        name, _, rest = path.partition(".")
        for relations in (self.relations, self.followed):
            if name in relations:
                relation = relations[name]
                try:
                    below = relation.document.follow(rest) if rest else ()
                except KeyError:
                    continue
                return (relation, *below)
        raise KeyError(path)

    def walk(
        self, *, followed: bool = False
    ) -> Iterator[tuple[tuple[RelationSchema, ...], ModelSchema]]:
        """This schema and each embedded one, with the relations that lead to it.

        :param followed: those that computed fields read, too; a path may come twice.
        """
        stack: list[tuple[tuple[RelationSchema, ...], ModelSchema]] = [((), self)]
        while stack:
            path, schema = stack.pop()
            yield path, schema
            relations = [*schema.relations.values()]
            if followed:
                relations += schema.followed.values()
            stack.extend(((*path, each), each.document) for each in relations)
