"""What every model of nefertari has, whichever its primary is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from nefertari_engine_base.compat.hidden import without_hidden
from nefertari_engine_base.compat.objects import empty_dictset
from nefertari_engine_base.compat.reading import Reading
from nefertari_engine_base.compat.writing import Writing


class Related(NamedTuple):
    """A relation of a model.

    :attr target: the model that it leads to.
    :attr back: name of the target's relation that leads back, if there is one.
    """

    target: Any
    many: bool
    back: str | None


class Model(Reading, Writing):
    """The shape of models, and what they read and write.

    :cvar _public_fields: names of the fields that everybody sees.
    :cvar _auth_fields: names of the fields that who has logged in sees.
    :cvar _hidden_fields: names of the fields that only administrators see.
    :cvar _nested_relationships: names of the relations whose objects are shown whole;
        of any other, keys are.
    :cvar _nesting_depth: how many steps of such relations are shown whole.
    """

    __not_inherited_by_secondary__ = True

    _public_fields: ClassVar[Any] = None
    _auth_fields: ClassVar[Any] = None
    _hidden_fields: ClassVar[Any] = None
    _nested_relationships: ClassVar[Any] = ()
    _nesting_depth: ClassVar[int] = 1

    @property
    def _type(self) -> str:
        return type(self).__name__

    @classmethod
    def native_fields(cls) -> list[str]:
        """Names of stored fields, then of relations."""
        return [*cls._stored(), *cls._relations()]

    @classmethod
    def get_null_values(cls) -> dict[str, Any]:
        """What each field is when a request leaves it out: ``None``, or an empty list
        of a relation to many."""
        values: dict[str, Any] = dict.fromkeys(cls._stored())
        for name, relation in cls._relations().items():
            values[name] = [] if relation.many else None
        values.pop("_acl", None)
        return values

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """The fields, with ``_type`` and ``_pk``; related objects by their keys, or as
        such dictionaries where they are nested.

        :param _depth: steps of nested relations; ``_nesting_depth`` by default.
        :param request: what the dictionary is shown to; where objects have access
            control lists, nested ones that it may not see are left out.
        """
        depth = kwargs.get("_depth")
        depth = self._nesting_depth if depth is None else depth
        data = empty_dictset()
        for name in self._stored():
            data[name] = getattr(self, name)
        for name in self._relations():
            if depth > 0 and name in self._nested_relationships:
                data[name] = _whole(getattr(self, name), depth - 1)
            else:
                data[name] = self._related_keys(name)
        data["_type"] = self._type
        data["_pk"] = str(getattr(self, self.pk_field()))
        request = kwargs.get("request")
        return data if request is None else without_hidden(request, data)

    def get_related_documents(
        self, nested_only: bool = False
    ) -> Iterator[tuple[type, list[Any]]]:
        """Related objects, with their model, relation by relation.

        :param nested_only: only those that show this object whole.
        """
        for name, (target, many, back) in self._relations().items():
            value = getattr(self, name)
            related = list(value) if many else [value] if value else []
            shows = getattr(target, "_nested_relationships", ())
            if related and not (nested_only and back and back not in shows):
                yield target, related

    @classmethod
    def get_es_mapping(
        cls, _depth: int | None = None, types_map: Any = None
    ) -> dict[str, Any]:
        """Names of the fields with their kinds. The secondary makes its mappings from
        the model itself; this is for programs that ask."""
        properties: dict[str, Any] = {"_pk": {"type": "string"}}
        for name in cls._stored():
            properties[name] = cls._mapped(name)
        depth = cls._nesting_depth if _depth is None else _depth
        for name, (target, _, _) in cls._relations().items():
            if depth > 0 and name in cls._nested_relationships:
                inner = target.get_es_mapping(_depth=depth - 1)[target.__name__]
                properties[name] = {"type": "nested", **inner}
            else:
                properties[name] = target._mapped(target.pk_field())
        return {cls.__name__: {"properties": properties}}

    def __repr__(self) -> str:
        name = self.pk_field()
        return f"<{type(self).__name__}: {name}={getattr(self, name)}>"

    # --- what a primary does itself -----------------------------------------------

    @classmethod
    def _stored(cls) -> Sequence[str]:
        """Names of the fields that the database stores."""
        raise NotImplementedError

    @classmethod
    def _relations(cls) -> Mapping[str, Related]:
        """The relations by their names."""
        raise NotImplementedError

    @classmethod
    def _mapped(cls, name: str) -> dict[str, str]:
        """The kind of a stored field, under ``type``; nothing if it has none."""
        raise NotImplementedError

    def _related_keys(self, name: str) -> Any:
        """The key that a relation leads to, ``None``, or a list of keys."""
        value = getattr(self, name)
        if isinstance(value, list):
            return [getattr(item, item.pk_field()) for item in value]
        return None if value is None else getattr(value, value.pk_field())


def only_for_primary(mixin: type) -> frozenset[str]:
    """Names that stay with the primary whoever defines them: a mixin of users overrides
    some, and calls what it has overridden."""
    names = {name for owner in mixin.__mro__[:-1] for name in vars(owner)}
    shown = {"_public_fields", "_auth_fields", "_hidden_fields"}
    return frozenset(names - shown - {"_nested_relationships"})


def _whole(value: Any, depth: int) -> Any:
    if isinstance(value, list):
        return [_whole(item, depth) for item in value]
    return None if value is None else value.to_dict(_depth=depth)
