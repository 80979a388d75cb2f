"""Fields of documents that a method of the model computes.

::

    @secondary(nested=("director",))
    class Movie(Queryable, Base):
        @document_field(depends_on=("title", "year", "director.name"))
        def label(self) -> str | None: ...

On an instance it is a read-only property. In documents it is a field like any other,
written anew when anything changes that it depends on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NoReturn, TypeVar, overload

from nefertari_engine_base.annotations import (
    ValueType,
    check,
    describe_annotation,
    returned_by,
)
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.exceptions import (
    ConfigurationError,
    ConversionError,
    UnmappableField,
)
from nefertari_engine_base.schema import FieldSchema, ModelSchema

V = TypeVar("V")


class DocumentField(Generic[V]):
    """A computed field as it stands on the class; made by :func:`document_field`.

    :attr function: from an instance to the value.
    :attr depends_on: see :func:`document_field`.
    :attr type: what the value is, where the return annotation does not say.
    :attr name: of the attribute.
    """

    def __init__(
        self,
        function: Callable[[Any], V],
        depends_on: tuple[str, ...],
        type: Any = None,  # noqa: A002 - the decorator's own word
    ) -> None:
        self.function = function
        self.depends_on = depends_on
        self.type = type
        self.name = getattr(function, "__name__", "")
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> DocumentField[V]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> V: ...
    def __get__(self, instance: object | None, owner: type) -> DocumentField[V] | V:
        return self if instance is None else self.function(instance)

    def __set__(self, instance: object, value: object) -> NoReturn:
        raise AttributeError(
            f"{self.name} of {type(instance).__name__} is computed and cannot be set"
        )

    def __repr__(self) -> str:
        return f"<document_field {self.name} depends on {', '.join(self.depends_on)}>"


def document_field(
    *,
    depends_on: Sequence[str],
    type: Any = None,  # noqa: A002 - it says what it is
) -> Callable[[Callable[[Any], V]], DocumentField[V]]:
    """Make a method of a model a field of its documents.

    :param depends_on: all that the method reads: names of columns, of relations and of
        other computed fields, and dotted paths to those of related rows. ``()`` if it
        reads nothing. Documents are written anew when any of these changes, and the
        method can read nothing else.
    :param type: what the method returns, as an annotation or a
        :class:`~nefertari_engine_base.encoding.Kind`, where its return annotation does
        not say; see :mod:`nefertari_engine_base.annotations`.
    :raises ConfigurationError: if ``depends_on`` is no sequence of names.
    """
    if isinstance(depends_on, str) or not all(
        isinstance(path, str) and path for path in depends_on
    ):
        raise ConfigurationError(
            f"depends_on={depends_on!r} of a document_field is no tuple of names. Name "
            f'what the method reads: depends_on=("title", "director.name").'
        )

    def decorate(function: Callable[[Any], V]) -> DocumentField[V]:
        return DocumentField(function, tuple(depends_on), type)

    return decorate


def document_fields_of(model: type) -> dict[str, DocumentField[Any]]:
    """The computed fields of a class, by name.

    The whole inheritance is walked; the nearest definition of a name wins, also where
    it is something else.
    """
    found: dict[str, DocumentField[Any]] = {}
    for owner in reversed(model.__mro__):
        for name, value in vars(owner).items():
            if isinstance(value, DocumentField):
                found[name] = value
            else:
                found.pop(name, None)
    return found


def describe_field(
    root: str, path: str, model: type, field: DocumentField[Any], declared: Any
) -> FieldSchema:
    """The description of a computed field.

    :param root: name of the model whose documents have it, at this dotted path.
    :param model: the class that computes it.
    :param declared: the secondary engine's own field, or ``None``.
    :raises UnmappableField: if its type has no meaning in an index.
    """
    annotation = field.type
    if annotation is None:
        annotation = returned_by(field.function, reversed(model.__mro__))
    found = describe_annotation(annotation)
    if found is None and declared is None:
        raise UnmappableField(root, path, _spoken(annotation), _ADVICE)
    # The application knows how to index what the method gives.
    found = found or ValueType(Kind.JSON, nullable=True)
    return FieldSchema(
        name=field.name,
        kind=found.kind,
        many=found.many,
        nullable=found.nullable,
        enum=found.enum,
        enum_values=found.enum_values,
        declared=declared,
        compute=field.function,
    )


_ADVICE = (
    "Or annotate what the method returns, as -> str | None or -> list[int], or give "
    "document_field(type=...)."
)


def _spoken(annotation: Any) -> str:
    if annotation is None:
        return "unknown (its method has no return annotation)"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def compute(
    schema: ModelSchema, field: FieldSchema, document_id: str, instance: Any
) -> Any:
    """The value of a computed field as it stands in the document.

    :raises ConversionError: if the method raises, which is the cause then, or returns
        a value of another type.
    """
    assert field.compute is not None
    where = f"{schema.name} {document_id}: {field.name} of {schema.name}"
    try:
        value = field.compute(instance)
    except Exception as error:
        name = type(error).__name__
        raise ConversionError(f"{where} raised {name}: {error}") from error
    try:
        check(field, value)
        return field.encode(value)
    except (ValueError, TypeError, ArithmeticError, KeyError, AttributeError) as error:
        raise ConversionError(f"{where} {error}") from error


def unnamed_read(
    schema: ModelSchema, field: FieldSchema, document_id: str, what: str
) -> ConversionError:
    """The error of a computed field that reads what its ``depends_on`` does not name.

    :param what: its dotted path.
    """
    return ConversionError(
        f"{schema.name} {document_id}: {field.name} of {schema.name} reads {what}, "
        f"which depends_on does not name. Name it there, so that its changes are "
        f"followed."
    )
