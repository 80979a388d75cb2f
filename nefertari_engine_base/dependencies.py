"""What computed fields read: ``depends_on`` taken apart, and checked.

A primary engine tells by :class:`Attributes` what there is to read of a class.
Dependencies on other computed fields are replaced by what these depend on in turn.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from nefertari_engine_base.document_fields import document_fields_of
from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.suggestions import nearest

_Passed = tuple[tuple[type, str], ...]


class Attributes(Protocol):
    """What can be read of the instances of one class, in the words of its primary.

    :attr nouns: what a field and a relation are called, for messages.
    """

    nouns: tuple[str, str]

    @property
    def model(self) -> type:
        """The class."""

    @property
    def fields(self) -> Collection[str]:
        """Names of what is stored and leads to no other instance."""

    @property
    def relations(self) -> Collection[str]:
        """Names of what leads to other instances, stored within or elsewhere."""

    def resolve(self, name: str) -> str:
        """The name that a name stands for: another one, if it is a synonym."""

    def behind(self, relation: str) -> Attributes:
        """What can be read of the instances that a relation leads to."""

    def problem(self, name: str) -> str | None:
        """Why a field or a relation cannot be read beforehand; ``None`` if it can."""


@dataclass(slots=True)
class Reads:
    """What computed fields read of the instances of one class.

    :attr fields: names of its stored fields.
    :attr relations: what they read behind a relation, by its name.
    """

    fields: set[str] = field(default_factory=set)
    relations: dict[str, Reads] = field(default_factory=dict)


def reads_of(attributes: Attributes, names: Iterable[str], root: str) -> Reads:
    """What these computed fields of a class read.

    :param root: name of the model whose documents have them, for messages.
    :raises ConfigurationError: for a dependency that there is not, or on itself.
    """
    reads = Reads()
    resolver = _Resolver(root)
    for name in names:
        resolver.add_field(reads, attributes, name, ())
    return reads


class _Resolver:
    def __init__(self, root: str) -> None:
        self._root = root

    def add_field(
        self, reads: Reads, attributes: Attributes, name: str, passed: _Passed
    ) -> None:
        """Add what a computed field reads.

        :param passed: the computed fields that have led here.
        """
        model = attributes.model
        if (model, name) in passed:
            chain = [f"{owner.__name__}.{each}" for owner, each in passed]
            chain.append(f"{model.__name__}.{name}")
            raise ConfigurationError(
                f"{self._root}: computed fields depend on each other: "
                f"{' -> '.join(chain)}. Let one of them depend on "
                f"{attributes.nouns[0]}s."
            )
        for path in document_fields_of(model)[name].depends_on:
            self._add_path(reads, attributes, path, (*passed, (model, name)))

    def _add_path(
        self, reads: Reads, attributes: Attributes, path: str, passed: _Passed
    ) -> None:
        *steps, last = path.split(".")
        for step in steps:
            self._check_step(attributes, step, path, passed)
            reads = reads.relations.setdefault(step, Reads())
            attributes = attributes.behind(step)
        last = attributes.resolve(last)
        if last in attributes.relations:
            self._check_step(attributes, last, path, passed)
            reads.relations.setdefault(last, Reads())
        elif last in attributes.fields:
            self._check(attributes, last, path, passed)
            reads.fields.add(last)
        elif last in document_fields_of(attributes.model):
            self.add_field(reads, attributes, last, passed)
        else:
            known = (
                *attributes.fields,
                *attributes.relations,
                *document_fields_of(attributes.model),
            )
            noun, relation = attributes.nouns
            raise self._wrong(
                path,
                passed,
                f"{attributes.model.__name__} has no {noun}, {relation} or computed "
                f"field {last!r}. {nearest(last, known)}",
            )

    def _check_step(
        self, attributes: Attributes, name: str, path: str, passed: _Passed
    ) -> None:
        if name not in attributes.relations:
            raise self._wrong(
                path,
                passed,
                f"{attributes.model.__name__} has no {attributes.nouns[1]} {name!r}. "
                f"{nearest(name, attributes.relations)}",
            )
        self._check(attributes, name, path, passed)

    def _check(
        self, attributes: Attributes, name: str, path: str, passed: _Passed
    ) -> None:
        if problem := attributes.problem(name):
            where = f"{attributes.model.__name__}.{name}"
            raise self._wrong(path, passed, f"{where} {problem}")

    def _wrong(self, path: str, passed: _Passed, why: str) -> ConfigurationError:
        model, name = passed[-1]
        field = name if model.__name__ == self._root else f"{model.__name__}.{name}"
        return ConfigurationError(
            f"{self._root}: {field} depends on {path!r}, but {why}"
        )
