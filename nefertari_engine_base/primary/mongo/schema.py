"""From a class of MongoEngine to the description of its documents.

Fields are those that the class declares, inherited ones included, under the names of
its attributes, and after them those that methods compute. Embedded documents are always
a part of the document, as relations that are stored inline; referenced documents are
embedded only where ``@secondary(nested=...)`` names them, and otherwise are their keys.

What a dynamic document holds beyond its declared fields, and what a subclass adds to
the class that is described, is no part of the document.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

import mongoengine as me

from nefertari_engine_base import document_fields
from nefertari_engine_base.dependencies import Reads, reads_of
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import ConfigurationError, UnmappableField
from nefertari_engine_base.primary.mongo.conditions import condition_of
from nefertari_engine_base.primary.mongo.defaults import check_default
from nefertari_engine_base.primary.mongo.dependencies import DocumentAttributes
from nefertari_engine_base.primary.mongo.links import Link, link_fields, links_of
from nefertari_engine_base.primary.mongo.options import Level
from nefertari_engine_base.primary.mongo.relations import inline_class, reference_of
from nefertari_engine_base.primary.mongo.types import (
    TypeDescription,
    Unmappable,
    describe_field,
    key_field_of,
    target_of,
)
from nefertari_engine_base.schema import (
    FieldSchema,
    ModelSchema,
    Nested,
    Reindex,
    RelationSchema,
    SecondaryOptions,
)
from nefertari_engine_base.suggestions import check_names, nearest

#: Finds what ``@secondary`` was told of a model; ``None`` if it has no documents.
OptionsOf = Callable[[type], SecondaryOptions | None]


def is_document(model: object) -> bool:
    """Whether this is a class whose instances are documents of a collection."""
    return isinstance(model, type) and issubclass(model, me.Document)


def describe(
    model: Any, options: SecondaryOptions, options_of: OptionsOf
) -> ModelSchema:
    """The schema of a model, embedded documents included.

    ``options.exclude`` and ``options.fields`` may name fields of embedded documents by
    dotted paths.

    :raises ConfigurationError: if the options do not fit the model.
    :raises UnmappableField: for a field that has no meaning in an index.
    """
    if not is_document(model) or key_field_of(model) is None:
        raise ConfigurationError(
            f"{model.__module__}.{model.__qualname__} is no document class of "
            f"MongoEngine with a collection of its own: decorate a subclass of "
            f"mongoengine.Document that is not abstract."
        )
    builder = _Builder(model, Level.of(options), options_of, model.__name__)
    condition, looked_at = condition_of(model, options)
    return replace(
        builder.build(()),
        options=options,
        condition=condition,
        condition_fields=looked_at,
    )


class _Builder:
    """One level of a description in the making.

    :param within: classes of embedded documents that this level is inside of.
    :param outdated: whether what this level shows may be stale.
    """

    def __init__(
        self,
        model: Any,
        level: Level,
        options_of: OptionsOf,
        root: str,
        within: tuple[type, ...] = (),
        outdated: bool = False,
    ) -> None:
        self.model = model
        self.level = level
        self.options_of = options_of
        self.root = root
        self.within = within
        how = level.nested or Nested()
        self.outdated = outdated or how.reindex != Reindex.ALWAYS
        self.name = model.__name__
        self.computed = document_fields.document_fields_of(model)
        # What tells the class of a document is MongoEngine's own.
        internal = {"_cls", *link_fields(model)}
        stored = [name for name in model._fields_ordered if name not in internal]
        self.links = links_of(model)
        self.names = [*stored, *self.links, *self.computed]
        self.is_inline = not is_document(model)
        key = None if self.is_inline else key_field_of(model)
        self.primary_key: tuple[str, ...] = () if key is None else (key.name,)

    def build(self, path: tuple[str, ...]) -> ModelSchema:
        """The schema of this level."""
        declared = self._declared(path)
        relations: dict[str, RelationSchema] = {}
        shown, needed = [], list(self.primary_key)
        for name in self._chosen(path):
            relation = self._relation((*path, name), declared.get(name))
            if relation is None:
                if name not in self.links:
                    shown.append(name)
                continue
            relations[name] = relation
            needed += relation.owner_fields
        self._check_children(path, relations)
        computed = [name for name in shown if name in self.computed]
        reads = reads_of(DocumentAttributes(self.model), computed, self.root)
        return ModelSchema(
            name=self.name,
            model=self.model,
            fields={
                name: self._field(path, name, declared.get(name)) for name in shown
            },
            primary_key=self.primary_key,
            relations=relations,
            hidden={
                name: self._field(path, name, None)
                for name in needed
                if name not in shown
            },
            bases=_bases(self.model),
            internals=_internals(self.model),
            depended=frozenset(reads.fields),
            # Where copies may be stale, what is computed of them may be, too.
            followed=self._follow(path, reads, self.outdated),
            guarded=any(map(_holds_acl, self.model._fields.values())),
        )

    def _build_followed(
        self, path: tuple[str, ...], reads: Reads, opted_out: bool
    ) -> ModelSchema:
        """The schema of documents that nobody shows, but that computed fields read."""
        return ModelSchema(
            name=self.name,
            model=self.model,
            fields={},
            primary_key=self.primary_key,
            hidden={name: self._field(path, name, None) for name in self.primary_key},
            bases=_bases(self.model),
            depended=frozenset(reads.fields),
            followed=self._follow(path, reads, opted_out),
        )

    # --- which fields ------------------------------------------------------

    def _chosen(self, path: tuple[str, ...]) -> list[str]:
        """Names of the level's fields and relations, in the order of the class."""
        where = "exclude" if not path else f"exclude of {'.'.join(path)}"
        check_names(self.name, where, self.level.exclude, self.names)
        only = self.level.nested.fields if self.level.nested else None
        if only is not None:
            where = f"Nested(fields) of {'.'.join(path)}"
            check_names(self.name, where, only, self.names)
            named = {*only, *self.level.children}
            return [name for name in self.names if name in named]
        excluded = set(self.level.exclude)
        if not path:
            self._check_key(excluded)
        elif not self.is_inline:
            own = self.options_of(self.model)
            excluded |= set(own.exclude if own else ())
        return [name for name in self.names if name not in excluded]

    def _declared(self, path: tuple[str, ...]) -> Mapping[str, Any]:
        """The secondary's own fields, by name: of this document, or, for a referenced
        one, of the documents that its model has itself."""
        where = "fields" if not path else f"fields of {'.'.join(path)}"
        check_names(self.name, where, self.level.fields, self.names)
        own = self.options_of(self.model) if path and not self.is_inline else None
        return {**(own.fields if own else {}), **self.level.fields}

    def _check_key(self, excluded: set[str]) -> None:
        for name in self.primary_key:
            if name in excluded:
                raise ConfigurationError(
                    f"{self.name}: exclude names {name}, which is the primary key. A "
                    f"document cannot do without: it is its id."
                )

    def _check_children(
        self, path: tuple[str, ...], relations: Mapping[str, RelationSchema]
    ) -> None:
        for name in self.level.children:
            if name in relations:
                continue
            dotted = ".".join((*path, name))
            if name not in self.names:
                why = f"{self.name} has no field {name!r}. {nearest(name, self.names)}"
            elif name in self.level.exclude:
                why = "which exclude leaves out."
            else:
                why = (
                    "which leads to no document. References, lists of references and "
                    "embedded documents do; a reference has to be named in nested."
                )
            raise ConfigurationError(f"{self.root}: options name {dotted!r}, {why}")

    # --- one field ---------------------------------------------------------

    def _field(self, path: tuple[str, ...], name: str, declared: Any) -> FieldSchema:
        if name in self.computed:
            dotted, computed = ".".join((*path, name)), self.computed[name]
            return document_fields.describe_field(
                self.root, dotted, self.model, computed, declared
            )
        field = self.model._fields[name]
        described = describe_field(field)
        if isinstance(described, Unmappable):
            if declared is None or isinstance(field, me.FileField):
                dotted = ".".join((*path, name))
                kind = type(field).__name__
                raise UnmappableField(self.root, dotted, kind, described.reason)
            # The application knows how to index what the database gives.
            described = TypeDescription(kind=Kind.JSON)
        check_default(self.root, (*path, name), field)
        key = name in self.primary_key
        if key and (described.many or described.kind is Kind.JSON):
            raise ConfigurationError(
                f"{self.name}.{name} is a primary key of type {type(field).__name__}, "
                f"which makes no id of a document. Use a field of one plain value."
            )
        return FieldSchema(
            name=name,
            primary_key=key,
            nullable=not (key or field.required),
            declared=declared,
            **{item.name: getattr(described, item.name) for item in fields(described)},
        )

    # --- one relation ------------------------------------------------------

    def _relation(self, path: tuple[str, ...], declared: Any) -> RelationSchema | None:
        """The relation of this name; ``None`` if it is a plain field here."""
        name = path[-1]
        if name in self.computed:
            return None
        level = self.level.children.get(name, Level())
        if name in self.links:
            return self._linked(path, level, self.links[name], declared)
        field = self.model._fields[name]
        inline = inline_class(field)
        if inline is not None:
            return self._inline(path, level, *inline, declared=declared)
        reference = reference_of(field)
        if reference is None or level.nested is None:
            return None
        target = target_of(reference[0])
        if target is None or key_field_of(target) is None:
            return None  # as a field it is refused, with the reason
        below = _Builder(target, level, self.options_of, self.root)
        return RelationSchema(
            name=name,
            many=reference[1],
            document=below.build(path),
            owner_fields=(name,),
            dangling=True,
            reindex=self._reindex(path, level.nested),
            declared=declared,
        )

    def _linked(
        self, path: tuple[str, ...], level: Level, link: Link, declared: Any
    ) -> RelationSchema | None:
        if level.nested is None:
            return None
        below = _Builder(link.target, level, self.options_of, self.root)
        document = below.build(path)
        if link.target_field is not None and link.target_field not in document.fields:
            held = below._field(path, link.target_field, None)
            hidden = {**document.hidden, held.name: held}
            document = replace(document, hidden=hidden)
        return RelationSchema(
            name=link.name,
            many=link.many,
            document=document,
            owner_fields=() if link.owner_field is None else (link.owner_field,),
            target_fields=() if link.target_field is None else (link.target_field,),
            dangling=link.owner_field is not None,
            reindex=self._reindex(path, level.nested),
            declared=declared,
        )

    def _inline(
        self,
        path: tuple[str, ...],
        level: Level,
        embedded: Any,
        many: bool,
        declared: Any,
    ) -> RelationSchema | None:
        within = (*self.within, self.model)
        if embedded in within:
            # Documents inside of documents of their own kind have no end that a
            # mapping could have.
            return None
        below = _Builder(
            embedded, level, self.options_of, self.root, within, self.outdated
        )
        return RelationSchema(
            name=path[-1],
            many=many,
            document=below.build(path),
            inline=True,
            declared=declared,
        )

    def _follow(
        self, path: tuple[str, ...], reads: Reads, opted_out: bool
    ) -> dict[str, RelationSchema]:
        """The relations that computed fields read.

        :param opted_out: stale values are acceptable, since stale copies are.
        """
        followed = {}
        attributes = DocumentAttributes(self.model)
        for name, below in reads.relations.items():
            field, where = self.model._fields[name], (*path, name)
            level = self.level.children.get(name, Level())
            target = attributes.behind(name).model
            inner = _Builder(target, level, self.options_of, self.root)
            reference = reference_of(field)
            stale = opted_out or (
                level.nested is not None and level.nested.reindex == Reindex.NEVER
            )
            document = inner._build_followed(where, below, stale)
            if reference is None:
                many = isinstance(field, me.ListField)
                followed[name] = RelationSchema(
                    name=name, many=many, document=document, inline=True
                )
                continue
            followed[name] = RelationSchema(
                name=name,
                many=reference[1],
                document=document,
                owner_fields=(name,),
                dangling=True,
                reindex=Reindex.NEVER if stale else Reindex.ALWAYS,
            )
        return followed

    def _reindex(self, path: tuple[str, ...], nested: Nested) -> Reindex:
        try:
            return Reindex(nested.reindex)
        except ValueError:
            choices = ", ".join(choice.value for choice in Reindex)
            raise ConfigurationError(
                f"{self.root}: reindex={nested.reindex!r} of {'.'.join(path)!r} is "
                f"none of {choices}."
            ) from None


def _bases(model: Any) -> tuple[str, ...]:
    return tuple(
        base.__name__
        for base in model.__mro__[1:]
        if is_document(base) and key_field_of(base) is not None
    )


def _internals(model: Any) -> frozenset[str]:
    """Class attributes that MongoEngine has put there, or that configure it."""
    names = {"meta", "my_metaclass", "DoesNotExist", "MultipleObjectsReturned"}
    names.update(model._fields)
    for owner in model.__mro__:
        of_driver = owner.__module__.startswith("mongoengine.")
        for name, value in vars(owner).items():
            if of_driver or type(value).__module__.startswith("mongoengine."):
                names.add(name)
    return frozenset(names)


def _holds_acl(field: Any) -> bool:
    described = describe_field(field)
    return isinstance(described, TypeDescription) and described.kind is Kind.ACL
