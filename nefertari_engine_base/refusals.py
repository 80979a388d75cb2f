"""Documents that cannot be written, kept apart from their neighbours, which can.

One bad document is one bad document: whatever goes wrong while it is loaded is counted
against it alone. What goes wrong with the store itself is no document's fault; each
store knows the difference, and says it as :data:`Blames`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nefertari_engine_base.exceptions import (
    ConversionError,
    EngineError,
    InvalidDocumentId,
)
from nefertari_engine_base.values import DocumentRef

#: Loads documents of one model by id.
Load = Callable[[str, Sequence[str]], Mapping[str, bytes]]

#: Whether an error may be one of a document.
Blames = Callable[[Exception], bool]


class RefusedDocuments(ConversionError):
    """Some documents cannot be written.

    :attr reasons: why, by document id.
    :attr documents: the others, by document id.
    """

    def __init__(
        self, reasons: Mapping[str, str], documents: Mapping[str, bytes]
    ) -> None:
        super().__init__("; ".join(list(reasons.values())[:3]))
        self.reasons = reasons
        self.documents = documents


def blames_document(error: Exception) -> bool:
    """Whether an error may be one of a document, where no driver has a say: all that is
    neither the family's nor the system's."""
    if isinstance(error, EngineError):
        return isinstance(error, ConversionError | InvalidDocumentId)
    return not isinstance(error, OSError)


def reason_of(error: Exception) -> str:
    """An error as the reason of a refusal, for people."""
    if isinstance(error, EngineError):
        return str(error)
    kind, said = type(error).__name__, str(error).strip()
    if isinstance(error, RecursionError):
        said = f"{said} (it holds something that is nested too deeply)"
    return f"It cannot be loaded: {kind}: {said}" if said else f"{kind} at loading."


def load_apart(
    load: Load,
    refs: Sequence[DocumentRef],
    blames: Blames = blames_document,
    recover: Callable[[], object] = lambda: None,
) -> tuple[dict[str, dict[str, bytes]], dict[DocumentRef, str]]:
    """Documents by model and id, and why others cannot be loaded.

    :param blames: errors of which it says no are raised.
    :param recover: is called after an error, before anything else is loaded.
    """
    documents: dict[str, dict[str, bytes]] = {}
    errors: dict[DocumentRef, str] = {}
    models: dict[str, list[str]] = {}
    for ref in refs:
        models.setdefault(ref.model, []).append(ref.id)
    for model, ids in models.items():
        try:
            documents[model] = {**load(model, ids)}
        except Exception as error:
            if not blames(error):
                raise
            recover()
            if isinstance(error, RefusedDocuments) and {*error.reasons} <= {*ids}:
                documents[model], reasons = {**error.documents}, error.reasons
            else:
                documents[model], reasons = _load_each(
                    load, model, ids, blames, recover
                )
            for id_, reason in reasons.items():
                errors[DocumentRef(model, id_)] = reason
    return documents, errors


def _load_each(
    load: Load, model: str, ids: Sequence[str], blames: Blames,
    recover: Callable[[], object],
) -> tuple[dict[str, bytes], Mapping[str, str]]:  # fmt: skip
    documents: dict[str, bytes] = {}
    reasons: dict[str, str] = {}
    for id_ in ids:
        try:
            documents |= load(model, [id_])
        except Exception as error:
            if not blames(error):
                raise
            recover()
            reasons[id_] = reason_of(error)
    return documents, reasons
