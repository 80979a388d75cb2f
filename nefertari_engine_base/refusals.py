"""Documents that cannot be written, kept apart from their neighbours, which can."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from nefertari_engine_base.exceptions import ConversionError, InvalidDocumentId
from nefertari_engine_base.values import DocumentRef

#: Loads documents of one model by id.
Load = Callable[[str, Sequence[str]], Mapping[str, bytes]]


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


def load_apart(
    load: Load, refs: Sequence[DocumentRef]
) -> tuple[dict[str, dict[str, bytes]], dict[DocumentRef, str]]:
    """Documents by model and id, and why others cannot be loaded.

    :param load: raises :exc:`~nefertari_engine_base.exceptions.ConversionError` or
        :exc:`~nefertari_engine_base.exceptions.InvalidDocumentId` if any is bad.
    """
    documents: dict[str, dict[str, bytes]] = {}
    errors: dict[DocumentRef, str] = {}
    models: dict[str, list[str]] = {}
    for ref in refs:
        models.setdefault(ref.model, []).append(ref.id)
    for model, ids in models.items():
        try:
            documents[model] = {**load(model, ids)}
        except (ConversionError, InvalidDocumentId) as error:
            if isinstance(error, RefusedDocuments) and {*error.reasons} <= {*ids}:
                documents[model], reasons = {**error.documents}, error.reasons
            else:
                documents[model], reasons = _load_each(load, model, ids)
            for id_, reason in reasons.items():
                errors[DocumentRef(model, id_)] = reason
    return documents, errors


def _load_each(
    load: Load, model: str, ids: Sequence[str]
) -> tuple[dict[str, bytes], Mapping[str, str]]:
    documents: dict[str, bytes] = {}
    reasons: dict[str, str] = {}
    for id_ in ids:
        try:
            documents |= load(model, [id_])
        except (ConversionError, InvalidDocumentId) as error:
            reasons[id_] = str(error)
    return documents, reasons
