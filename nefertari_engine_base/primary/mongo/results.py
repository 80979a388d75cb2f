"""What writes of MongoDB have answered."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from pymongo.errors import BulkWriteError
from pymongo.results import BulkWriteResult, DeleteResult, UpdateResult


def has_matched(result: UpdateResult) -> bool:
    """Whether an update has found a document, as far as it was answered."""
    return not result.acknowledged or result.matched_count > 0


def has_deleted(result: DeleteResult) -> bool:
    """Whether a delete has found a document, as far as it was answered."""
    return not result.acknowledged or result.deleted_count > 0


def reached(result: Any) -> int | None:
    """How many documents a write of many has found; ``None`` if it was not answered."""
    if not result.acknowledged:
        return None
    is_delete = isinstance(result, DeleteResult)
    count: int = result.deleted_count if is_delete else result.matched_count
    return count


def is_there(document: Any) -> bool:
    """Whether a document was found."""
    return document is not None


def sum_of_updates(results: Sequence[UpdateResult]) -> UpdateResult:
    """One result of several updates."""
    if len(results) == 1 or not results[-1].acknowledged:
        return results[-1]
    matched = sum(result.matched_count for result in results)
    raw = {
        "n": matched,
        "nModified": sum(result.modified_count for result in results),
        "ok": 1.0,
        "updatedExisting": matched > 0,
    }
    return UpdateResult(raw, acknowledged=True)


def sum_of_deletes(results: Sequence[DeleteResult]) -> DeleteResult:
    """One result of several deletes."""
    if len(results) == 1 or not results[-1].acknowledged:
        return results[-1]
    deleted = sum(result.deleted_count for result in results)
    return DeleteResult({"n": deleted, "ok": 1.0}, acknowledged=True)


def update_of(result: BulkWriteResult) -> UpdateResult:
    """The result of an update that was made of several statements."""
    matched = result.matched_count
    raw = {
        "n": matched,
        "nModified": result.modified_count,
        "ok": 1.0,
        "updatedExisting": matched > 0,
    }
    return UpdateResult(raw, acknowledged=True)


def delete_of(result: BulkWriteResult) -> DeleteResult:
    """The result of a delete that was made of several statements."""
    return DeleteResult({"n": result.deleted_count, "ok": 1.0}, acknowledged=True)


def inserted_before(
    error: Exception, count: int, ordered: bool
) -> Collection[int] | None:
    """Which documents of an insert of many are there though it has ended with an error,
    by their indexes; ``None`` if the server may still take some of them back.

    :param count: how many there were.
    :param ordered: whether the first that is refused ends the insert.
    """
    if not isinstance(error, BulkWriteError):
        return ()
    if error.details.get("writeConcernErrors"):
        return None
    refused = {one["index"] for one in error.details.get("writeErrors", ())}
    if ordered:
        return range(min(refused, default=count))
    return [index for index in range(count) if index not in refused]
