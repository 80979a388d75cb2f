"""Directives of the engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyramid.config import Configurator

from nefertari_engine_base.encoding import Kind
from nefertari_es.fields import FieldFactory, FieldTypes, known_kind


def field_directive(field_types: FieldTypes) -> Callable[..., Any]:
    """The directive ``add_elasticsearch_field`` of an engine with these types."""

    def add_elasticsearch_field(
        config: Configurator, kind: Kind | str, factory: FieldFactory
    ) -> None:
        """Map every field of a kind by a factory of the application's own.

        Two declarations for one kind are a conflict that names both places.

        :param kind: such as ``"string"``, of
            :class:`~nefertari_engine_base.encoding.Kind`.
        :param factory: called with the
            :class:`~nefertari_engine_base.schema.FieldSchema` of each field; returns
            a field of ``elasticsearch.dsl``.
        :raises ConfigurationError: if there is no such kind.
        """
        kind = known_kind(kind)
        config.action(
            ("elasticsearch field", kind),
            field_types.set,
            args=(kind, config.maybe_dotted(factory)),
        )

    return add_elasticsearch_field
