"""What ``@secondary`` was told of a model, taken apart level by level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nefertari_engine_base.schema import Nested, SecondaryOptions


@dataclass(slots=True)
class Level:
    """The options of one level of documents.

    :attr nested: how the level is embedded; ``None`` if ``nested`` does not name it.
    :attr exclude: names that stay out.
    :attr fields: the secondary engine's own fields.
    :attr children: the levels below, by the name of what leads there.
    """

    nested: Nested | None = None
    exclude: set[str] = field(default_factory=set)
    fields: dict[str, Any] = field(default_factory=dict)
    children: dict[str, Level] = field(default_factory=dict)

    @classmethod
    def of(cls, options: SecondaryOptions) -> Level:
        """The root of these options' levels."""
        root = cls()
        for path, nested in options.nested.items():
            steps = path.split(".")
            for end in range(1, len(steps)):
                # What leads to something embedded is embedded itself.
                level = root._step(steps[:end])
                level.nested = level.nested or Nested()
            root._step(steps).nested = nested
        for path in options.exclude:
            *steps, name = path.split(".")
            root._step(steps).exclude.add(name)
        for path, declared in options.fields.items():
            *steps, name = path.split(".")
            root._step(steps).fields[name] = declared
        return root

    def _step(self, steps: Sequence[str]) -> Level:
        level = self
        for step in steps:
            level = level.children.setdefault(step, Level())
        return level
