"""Two versions of one application side by side: which of them delivers.

While a new version rolls out, processes of the old one still run. If one of them wrote
a document, it would have the old form, or it would not know the model at all, and the
entry would be gone. So setup records the form of each model's documents in the
primary's database, and a process delivers only models whose form is the recorded one.
The entries of others wait for a process that has it.

Why none slips through: setup records first, and then raises a fence, as a catch-up
does. A delivery draws its version, and looks at what is recorded after that. If it drew
below the fence, its acknowledgement comes to nothing, and it is repeated by somebody
who has the new form. If it drew above, it sees what is recorded, and leaves the
entries.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from nefertari_engine_base.interfaces import IOutbox
from nefertari_engine_base.schema import ModelSchema

if TYPE_CHECKING:
    from nefertari_engine_base.engines import Engines

#: Seconds for which a worker claims without asking again what is recorded.
_FRESH = 1.0


def form_of(schema: ModelSchema) -> str:
    """A short hash of what a model's documents are made of."""
    text = orjson.dumps(_described(schema), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(text, digest_size=12).hexdigest()


def _described(schema: ModelSchema) -> dict[str, Any]:
    fields = {
        name: [field.kind, field.many, list(field.enum_values)]
        for name, field in schema.fields.items()
    }
    relations = {
        name: [relation.many, _described(relation.document)]
        for name, relation in schema.relations.items()
    }
    return {"name": schema.name, "fields": fields, "relations": relations}


class Forms:
    """The forms of an application's documents, and those that are recorded."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._own: dict[str, tuple[ModelSchema, str]] = {}
        self._foreign: dict[IOutbox, tuple[float, frozenset[str]]] = {}

    def foreign(self, outbox: IOutbox, recorded: Mapping[str, str]) -> frozenset[str]:
        """Models that another version delivers.

        :param recorded: what the outbox has recorded.
        """
        found = frozenset(
            model for model, form in recorded.items() if form != self._own_form(model)
        )
        self._foreign[outbox] = time.monotonic(), found
        return found

    def without(self, outbox: IOutbox) -> frozenset[str]:
        """Models of which a worker claims nothing; as they were a moment ago."""
        asked, found = self._foreign.get(outbox, (0.0, frozenset()))
        if not asked or time.monotonic() - asked > _FRESH:
            return self.foreign(outbox, outbox.recorded_forms())
        return found

    def record(self) -> None:
        """Record the forms of this version's documents, as setup does."""
        for outbox, models in self._models().items():
            recorded = outbox.recorded_forms()
            own = {model: form_of(self._engines.schemas[model]) for model in models}
            changed = {m: form for m, form in own.items() if recorded.get(m) != form}
            if changed:
                outbox.record_forms(changed)
            for model in changed.keys() & recorded.keys():
                for secondary in self._engines.secondaries:
                    outbox.fence(secondary, model)
            self._foreign.pop(outbox, None)

    def unknown(self) -> list[str]:
        """Models that another version has recorded, and this one does not have."""
        found = {
            model for outbox in self._engines.outboxes()
            for model in outbox.recorded_forms()
        }  # fmt: skip
        return sorted(found - self._engines.schemas.keys())

    def forget(self, model: str) -> bool:
        """No version has this model any more; whether it was recorded."""
        outboxes = self._engines.outboxes()
        return sum(outbox.forget_form(model) for outbox in outboxes) > 0

    def _own_form(self, model: str) -> str | None:
        schema = self._engines.schemas.get(model)
        if schema is None:
            return None
        known = self._own.get(model)
        if known is None or known[0] is not schema:
            known = self._own[model] = schema, form_of(schema)
        return known[1]

    def _models(self) -> dict[IOutbox, list[str]]:
        found: dict[IOutbox, list[str]] = {}
        for name, schema in self._engines.schemas.items():
            outbox = self._engines.primary_of(schema.model).outbox_of(schema)
            found.setdefault(outbox, []).append(name)
        return found
