"""Which documents a change touches: the dependency graph, and questions to it.

The graph is computed once, when the configuration is complete, from the schemas of
all documents. A question costs no query: documents that cannot be named without one
become a touch with a path, which delivery looks up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from zope.interface import implementer

from nefertari_engine_base.interfaces import IDependencyGraph
from nefertari_engine_base.schema import ModelSchema, Reindex, RelationSchema
from nefertari_engine_base.values import Action, Change, Touch


@dataclass(frozen=True, slots=True)
class Dependency:
    """Documents of ``root`` show rows of the model at the end of ``relations``, or have
    computed fields that read these.

    :attr contents: fields and relations of that model which are shown or read.
    """

    root: ModelSchema
    relations: tuple[RelationSchema, ...]
    contents: frozenset[str]

    @property
    def path(self) -> str:
        """The dotted path from the root to the model."""
        return ".".join(relation.name for relation in self.relations)

    @property
    def is_never_followed(self) -> bool:
        """Whether somebody has opted out on the way."""
        return any(step.reindex is Reindex.NEVER for step in self.relations)

    @property
    def owner(self) -> ModelSchema:
        """The schema that holds the last relation."""
        relations = self.relations
        return relations[-2].document if len(relations) > 1 else self.root


@implementer(IDependencyGraph)
class DependencyGraph:
    """From a changed row to the documents that show it.

    :param schemas: of every model that has documents.
    """

    def __init__(self, schemas: Iterable[ModelSchema]) -> None:
        self._dependencies: dict[str, list[Dependency]] = {}
        for root in schemas:
            for relations, schema in root.walk(followed=True):
                dependency = Dependency(root, relations, _contents(schema, relations))
                self._dependencies.setdefault(schema.name, []).append(dependency)

    def dependencies(self) -> Iterator[Dependency]:
        """Every dependency of documents on rows, their own rows included."""
        for dependencies in self._dependencies.values():
            yield from dependencies

    def models(self) -> frozenset[str]:
        """Names of the models whose changes matter to any document."""
        return frozenset(self._dependencies)

    def references(self, model: str, bases: Sequence[str] = ()) -> frozenset[str]:
        """Fields of a model whose old values are needed: they name documents."""
        return frozenset(
            field
            for name in (model, *bases)
            for dependency in self._dependencies.get(name, ())
            if dependency.relations
            for field in dependency.relations[-1].target_fields
        )

    def contents(self, model: str, bases: Sequence[str] = ()) -> frozenset[str]:
        """Fields and relations of a model that any document shows."""
        return frozenset(
            field
            for name in (model, *bases)
            for dependency in self._dependencies.get(name, ())
            for field in dependency.contents
        )

    def shown_in(
        self, model: str, bases: Sequence[str] = ()
    ) -> Sequence[tuple[str, str]]:
        """(model, path) of the documents that show rows of this model and that only
        a look-up can name; the look-up has to come before a row is deleted."""
        return [
            (dependency.root.name, dependency.path)
            for name in (model, *bases)
            for dependency in self._dependencies.get(name, ())
            if dependency.relations
            and not dependency.relations[-1].target_fields
            and not dependency.relations[-1].dangling
            and not dependency.is_never_followed
        ]

    def documents_of(self, model: str, bases: Sequence[str] = ()) -> frozenset[str]:
        """Names of the models whose documents follow changes of a model's rows."""
        return frozenset(
            dependency.root.name
            for name in (model, *bases)
            for dependency in self._dependencies.get(name, ())
            if not dependency.is_never_followed
        )

    def touched_by_all(
        self, secondary: str, changes: Sequence[Change], bases: Sequence[str] = ()
    ) -> Iterable[Touch]:
        """The documents that changes of rows of one class touch.

        :param bases: see :meth:`touched`.
        """
        names = (changes[0].ref.model, *bases) if len(changes) > 1 else ()
        found = [one for name in names for one in self._dependencies.get(name, ())]
        is_simple = len(found) == 1 and not found[0].relations
        if not is_simple or any(change.shown_in for change in changes):
            return chain.from_iterable(
                self.touched(secondary, change, bases) for change in changes
            )
        # Nothing but their own documents show them: these may be very many.
        (dependency,) = found
        name = dependency.root.name
        return [
            Touch(secondary, name, change.ref.id)
            for change in changes
            if _is_touched(dependency, change)
        ]

    def touched(
        self, secondary: str, change: Change, bases: Sequence[str] = ()
    ) -> Iterator[Touch]:
        """The documents that a change touches, some of them more than once.

        :param bases: the mapped classes that the changed row is an instance of,
            beside the one that the change names.
        """
        for name in (change.ref.model, *bases):
            for dependency in self._dependencies.get(name, ()):
                if dependency.relations:
                    yield from _touched_by_relation(secondary, dependency, change)
                elif _is_touched(dependency, change):
                    yield Touch(secondary, dependency.root.name, change.ref.id)
        for model, ids in change.shown_in.items():
            for id_ in ids:
                yield Touch(secondary, model, id_)


def _contents(
    schema: ModelSchema, relations: tuple[RelationSchema, ...]
) -> frozenset[str]:
    if any(relation.reindex is Reindex.NEVER for relation in relations):
        return frozenset()
    if relations and relations[-1].reindex is Reindex.LINK:
        return frozenset()
    names = {*schema.stored, *schema.depended}
    if not relations:
        names |= schema.condition_fields
    for relation in (*schema.relations.values(), *schema.followed.values()):
        names.add(relation.name)
        names.update(relation.owner_fields)
    return frozenset(names)


def _is_touched(dependency: Dependency, change: Change) -> bool:
    """Whether a row's own document has to be written."""
    return change.action is not Action.UPDATED or _meets(change, dependency.contents)


def _touched_by_relation(
    secondary: str, dependency: Dependency, change: Change
) -> Iterator[Touch]:
    if dependency.is_never_followed:
        return
    relation = dependency.relations[-1]
    if relation.target_fields:
        yield from _touched_owners(secondary, dependency, change)
    elif _is_looked_up(relation, dependency, change):
        name = dependency.root.name
        yield Touch(secondary, name, change.ref.id, dependency.path)


def _is_looked_up(
    relation: RelationSchema, dependency: Dependency, change: Change
) -> bool:
    if change.action is Action.UPDATED:
        return _meets(change, dependency.contents)
    # Elsewhere a new row is shown by nobody yet, and who shows a deleted one was
    # looked up before.
    return relation.dangling and not change.fresh


def _touched_owners(
    secondary: str, dependency: Dependency, change: Change
) -> Iterator[Touch]:
    relation = dependency.relations[-1]
    moved = _meets(change, frozenset(relation.target_fields))
    if change.action is Action.UPDATED and not (
        moved or _meets(change, dependency.contents)
    ):
        return
    path = ".".join(step.name for step in dependency.relations[:-1])
    current, previous = _owner_ids(relation, dependency.owner, change)
    if current is None:
        # The reference is not known here (it was set by the database): the row
        # itself leads to its owner.
        yield Touch(secondary, dependency.root.name, change.ref.id, dependency.path)
    for key in dict.fromkeys((*(current or ()), *previous)):
        yield Touch(secondary, dependency.root.name, key, path)


def _owner_ids(
    relation: RelationSchema, owner: ModelSchema, change: Change
) -> tuple[list[str] | None, list[str]]:
    """Ids of the current and the previous owners; ``None`` if the current ones are
    unknown."""
    names = relation.target_fields
    current: list[str] | None = None
    if all(name in change.references for name in names):
        current = _document_ids(owner, [change.references[name] for name in names])
    before = {**change.references, **change.previous}
    if any(name in change.previous for name in names) and all(
        name in before for name in names
    ):
        return current, _document_ids(owner, [before[name] for name in names])
    return current, []


def _document_ids(schema: ModelSchema, key: Sequence[object]) -> list[str]:
    """The ids of a key; of a list of keys, where one field holds them."""
    if len(key) == 1 and isinstance(key[0], list):
        return [id_ for each in key[0] for id_ in _document_ids(schema, [each])]
    return [] if any(part is None for part in key) else [schema.document_id(key)]


def _meets(change: Change, names: frozenset[str]) -> bool:
    return change.fields is None or not names.isdisjoint(change.fields)
