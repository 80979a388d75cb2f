"""From a mapped class to the description of its documents.

Fields are the mapper's column attributes, under their attribute names: those of all
the inheritance, deferred ones and readable SQL expressions included, synonyms left
out, and after them those that methods compute. Relations are embedded only where
``@secondary(nested=...)`` names them; each step of a dotted path is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.associationproxy import AssociationProxy
from sqlalchemy.orm import ColumnProperty, Mapper, RelationshipProperty, class_mapper
from sqlalchemy.orm.exc import UnmappedClassError

from nefertari_engine_base.dependencies import Reads, reads_of
from nefertari_engine_base.document_fields import describe_field, document_fields_of
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import (
    ConfigurationError,
    MissingInverse,
    UnmappableField,
)
from nefertari_engine_base.primary.sqla.conditions import condition_of
from nefertari_engine_base.primary.sqla.dependencies import MappedAttributes
from nefertari_engine_base.primary.sqla.links import Link, find_link, order_fields
from nefertari_engine_base.primary.sqla.types import TypeDescription, describe_type
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


def describe(
    model: type, options: SecondaryOptions, options_of: OptionsOf
) -> ModelSchema:
    """The schema of a model, embedded relations included.

    ``options.exclude`` and ``options.fields`` may name fields of embedded rows by
    dotted paths.

    :raises ConfigurationError: if the options do not fit the model.
    :raises UnmappableField: for a column whose type has no meaning in an index.
    :raises MissingInverse: for a relation that cannot be followed back.
    """
    mapper = _mapper(model)
    tree = _Tree.of(mapper, options)
    described = _Description(mapper, tree, options_of, model.__name__).build(())
    condition, looked_at = condition_of(mapper, options)
    return replace(
        described,
        options=options,
        condition=condition,
        condition_fields=looked_at,
    )


def derived_fields(schema: ModelSchema, contents: Iterable[str] = ()) -> frozenset[str]:
    """Fields that any update of a row may change without naming them: SQL
    expressions, generated columns, columns with an ``onupdate``.

    :param contents: what other documents show or read of the model's rows.
    """
    columns = _mapper(schema.model).column_attrs
    return frozenset(
        name
        for name in (*schema.stored, *contents)
        if name in columns and _is_derived(columns[name].columns[0])
    )


def _is_derived(column: Any) -> bool:
    if not isinstance(column, sa.Column):
        return True
    return any((column.computed, column.onupdate, column.server_onupdate))


def _mapper(model: type) -> Mapper[Any]:
    try:
        return class_mapper(model)
    except UnmappedClassError:
        raise ConfigurationError(
            f"{model.__module__}.{model.__qualname__} is no mapped class of SQLAlchemy."
        ) from None


@dataclass(slots=True)
class _Tree:
    """The options of one level: the dotted names taken apart, step by step."""

    nested: Nested = field(default_factory=Nested)
    exclude: set[str] = field(default_factory=set)
    fields: dict[str, Any] = field(default_factory=dict)
    children: dict[str, _Tree] = field(default_factory=dict)

    @classmethod
    def of(cls, mapper: Mapper[Any], options: SecondaryOptions) -> _Tree:
        root = cls()
        for path, nested in options.nested.items():
            root._step(path.split(".")).nested = nested
        for option, names in (("exclude", options.exclude), ("fields", options.fields)):
            for path in names:
                *steps, name = path.split(".")
                tree = root._find(steps)
                if tree is None:
                    raise ConfigurationError(
                        f"{mapper.class_.__name__}: {option} names {path!r}, but "
                        f"{'.'.join(steps)!r} is not embedded. Name it in nested."
                    )
                if option == "exclude":
                    tree.exclude.add(name)
                else:
                    tree.fields[name] = options.fields[path]
        return root

    def _step(self, steps: Sequence[str]) -> _Tree:
        tree = self
        for step in steps:
            tree = tree.children.setdefault(step, _Tree())
        return tree

    def _find(self, steps: Sequence[str]) -> _Tree | None:
        tree: _Tree | None = self
        for step in steps:
            tree = None if tree is None else tree.children.get(step)
        return tree


class _Description:
    """One level of a description in the making."""

    def __init__(
        self, mapper: Mapper[Any], tree: _Tree, options_of: OptionsOf, root: str
    ) -> None:
        self.mapper = mapper
        self.tree = tree
        self.options_of = options_of
        self.root = root
        self.name = mapper.class_.__name__
        self.columns = {
            key: attribute
            for key, attribute in mapper.column_attrs.items()
            # SQLAlchemy's own are no attributes: a discriminator that the class does
            # not map, of whatever name.
            if attribute.instrument and not key.startswith("_sa_")
        }
        self.computed = document_fields_of(mapper.class_)
        self.names = [*self.columns, *self.computed]
        self.primary_key = tuple(
            mapper.get_property_by_column(column).key for column in mapper.primary_key
        )

    def build(self, path: tuple[str, ...], required: Iterable[str] = ()) -> ModelSchema:
        """The schema of this level.

        :param required: attributes that the level above needs, shown or not.
        """
        declared = self._declared(path)
        relations, links = {}, []
        for name, tree in self.tree.children.items():
            relation, link = self._relation((*path, name), tree, declared.get(name))
            relations[name] = relation
            links.append(link)
        shown = self._shown(path)
        document = {name: self._field(path, name, declared.get(name)) for name in shown}
        computed = [name for name in shown if name in self.computed]
        reads = reads_of(MappedAttributes(self.mapper), computed, self.root)
        needed = [*self.primary_key, *required]
        for link in links:
            needed += link.owner_fields
        return ModelSchema(
            name=self.name,
            model=self.mapper.class_,
            fields=document,
            primary_key=self.primary_key,
            relations=relations,
            hidden={
                name: self._field(path, name, None)
                for name in dict.fromkeys(needed)
                if name not in document
            },
            depended=frozenset(reads.fields),
            # Where copies may be stale, what is computed of them may be, too.
            followed=self._follow(
                path, reads, self.tree.nested.reindex != Reindex.ALWAYS
            ),
            bases=self._bases(),
            guarded=any(map(_holds_acl, self.columns.values())),
        )

    def _build_followed(
        self, path: tuple[str, ...], reads: Reads, opted_out: bool
    ) -> ModelSchema:
        """The schema of rows that no document shows, but that computed fields read."""
        return ModelSchema(
            name=self.name,
            model=self.mapper.class_,
            fields={},
            primary_key=self.primary_key,
            hidden={name: self._field(path, name, None) for name in self.primary_key},
            bases=self._bases(),
            depended=frozenset(reads.fields),
            followed=self._follow(path, reads, opted_out),
        )

    def _bases(self) -> tuple[str, ...]:
        bases = (base.class_ for base in self.mapper.iterate_to_root())
        return tuple(base.__name__ for base in bases if base is not self.mapper.class_)

    # --- which fields ------------------------------------------------------

    def _shown(self, path: tuple[str, ...]) -> list[str]:
        """Names of the document's fields, in the order of the mapper and the class."""
        where = "exclude" if not path else f"exclude of {'.'.join(path)}"
        check_names(self.name, where, self.tree.exclude, self.names)
        only = self.tree.nested.fields
        if only is not None:
            where = f"Nested(fields) of {'.'.join(path)}"
            check_names(self.name, where, only, self.names)
            return [name for name in self.names if name in only]
        excluded = set(self.tree.exclude)
        if not path:
            self._check_keys(excluded)
        else:
            own = self.options_of(self.mapper.class_)
            excluded |= set(own.exclude if own else ())
        return [name for name in self.names if name not in excluded]

    def _declared(self, path: tuple[str, ...]) -> Mapping[str, Any]:
        """The secondary's own fields, by name: of this document, or, for an embedded
        one, of the documents that the related model has itself."""
        where = "fields" if not path else f"fields of {'.'.join(path)}"
        known = [*self.names, *self.tree.children]
        check_names(self.name, where, self.tree.fields, known)
        own = self.options_of(self.mapper.class_) if path else None
        return {**(own.fields if own else {}), **self.tree.fields}

    def _check_keys(self, excluded: set[str]) -> None:
        keys = [name for name in self.primary_key if name in excluded]
        if keys:
            raise ConfigurationError(
                f"{self.name}: exclude names {', '.join(keys)}, which is (a part of) "
                f"the primary key. A document cannot do without: it is its id."
            )

    # --- one field ---------------------------------------------------------

    def _field(self, path: tuple[str, ...], name: str, declared: Any) -> FieldSchema:
        if name in self.computed:
            dotted, model = ".".join((*path, name)), self.mapper.class_
            field = self.computed[name]
            return describe_field(self.root, dotted, model, field, declared)
        attribute = self.columns[name]
        column = attribute.columns[0]
        description = describe_type(column.type)
        if description is None:
            if declared is None:
                raise UnmappableField(
                    self.root, ".".join((*path, name)), type(column.type).__name__
                )
            # The application knows how to index what the database gives.
            description = TypeDescription(kind=Kind.JSON)
        key = name in self.primary_key
        return FieldSchema(
            name=name,
            primary_key=key,
            reference=_is_reference(attribute),
            nullable=bool(getattr(column, "nullable", True)) and not key,
            declared=declared,
            **_attributes(description),
        )

    # --- one relation ------------------------------------------------------

    def _relation(
        self, path: tuple[str, ...], tree: _Tree, declared: Any
    ) -> tuple[RelationSchema, Link]:
        name = path[-1]
        relationship = self._relationship(path)
        reindex = self._reindex(path, tree.nested)
        link = find_link(relationship)
        if link.problem and reindex is not Reindex.NEVER:
            raise MissingInverse(self.root, ".".join(path), link.problem)
        below = _Description(relationship.mapper, tree, self.options_of, self.root)
        document = below.build(path, link.target_fields)
        depended = document.depended | order_fields(relationship)
        relation = RelationSchema(
            name=name,
            many=bool(relationship.uselist),
            document=replace(document, depended=depended),
            owner_fields=link.owner_fields,
            target_fields=link.target_fields,
            through=link.through,
            reindex=reindex,
            declared=declared,
        )
        return relation, link

    def _follow(
        self, path: tuple[str, ...], reads: Reads, opted_out: bool
    ) -> dict[str, RelationSchema]:
        """The relations that computed fields read.

        :param opted_out: stale values are acceptable, since stale copies are.
        """
        followed = {}
        for name, below in reads.relations.items():
            relationship, where = self.mapper.relationships[name], (*path, name)
            tree = self.tree.children.get(name, _Tree())
            stale = opted_out or tree.nested.reindex == Reindex.NEVER
            link = find_link(relationship)
            if link.problem and not stale:
                dotted = ".".join(where)
                raise MissingInverse(self.root, dotted, link.problem, "depends on")
            inner = _Description(relationship.mapper, tree, self.options_of, self.root)
            document = inner._build_followed(where, below, stale)
            depended = document.depended | order_fields(relationship)
            followed[name] = RelationSchema(
                name=name,
                many=bool(relationship.uselist),
                document=replace(document, depended=depended),
                owner_fields=link.owner_fields,
                target_fields=link.target_fields,
                through=link.through,
                reindex=Reindex.NEVER if stale else Reindex.ALWAYS,
            )
        return followed

    def _relationship(self, path: tuple[str, ...]) -> RelationshipProperty[Any]:
        name, dotted = path[-1], ".".join(path)
        relationship = self.mapper.relationships.get(name)
        if relationship is not None:
            return relationship
        descriptor = self.mapper.all_orm_descriptors.get(name)
        if isinstance(descriptor, AssociationProxy):
            through = f"{descriptor.target_collection}.{descriptor.value_attr}"
            raise ConfigurationError(
                f"{self.root}: nested names {dotted!r}, which is an association "
                f"proxy. Embed {through!r}, which it goes through."
            )
        if name in self.columns:
            raise ConfigurationError(
                f"{self.root}: nested names {dotted!r}, which is a column of "
                f"{self.name} and so in the document anyway."
            )
        raise ConfigurationError(
            f"{self.root}: nested names {dotted!r}, but {self.name} has no relation "
            f"{name!r}. {nearest(name, self.mapper.relationships.keys())}"
        )

    def _reindex(self, path: tuple[str, ...], nested: Nested) -> Reindex:
        try:
            return Reindex(nested.reindex)
        except ValueError:
            choices = ", ".join(choice.value for choice in Reindex)
            raise ConfigurationError(
                f"{self.root}: reindex={nested.reindex!r} of {'.'.join(path)!r} is "
                f"none of {choices}."
            ) from None


def _attributes(description: TypeDescription) -> dict[str, Any]:
    return {item.name: getattr(description, item.name) for item in fields(description)}


def _holds_acl(attribute: ColumnProperty[Any]) -> bool:
    description = describe_type(attribute.columns[0].type)
    return description is not None and description.kind is Kind.ACL


def _is_reference(attribute: ColumnProperty[Any]) -> bool:
    """Whether a column holds a key of another row; the link of a subclass's table to
    its superclass's, which joined inheritance makes, is the row's own key."""
    own = {column for column in attribute.columns if isinstance(column, sa.Column)}
    return any(
        not any(column.references(other) for other in own - {column})
        for column in own
        if column.foreign_keys
    )
