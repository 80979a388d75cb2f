"""The documents that there should be, written out by hand from what MongoDB has.

They are made of raw documents, one look-up for each reference, and not by the code that
makes those of the index: that is what is judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pymongo.database import Database

Raw = Mapping[str, Any]


class Expected:
    """The documents of a database that nobody writes to.

    :param numbers: only those of these keys; ``None``: all.
    """

    def __init__(
        self, database: Database[dict[str, Any]], numbers: Sequence[int] | None
    ) -> None:
        self._database = database
        self._query = {} if numbers is None else {"_id": {"$in": list(numbers)}}
        self._found: dict[tuple[str, Any], Raw | None] = {}

    def of(self, model: str) -> dict[str, dict[str, Any]]:
        """The documents of a model, by id."""
        make = {
            "Creator": self._creators,
            "Volume": self._volumes,
            "Opinion": self._opinions,
            "Honour": self._honours,
        }[model]
        return {str(document["id"]): document for document in make()}

    def _creators(self) -> Iterator[dict[str, Any]]:
        for raw in self._all("creator"):
            if _is(raw, "Creator"):
                yield self._creator(raw)

    def _volumes(self) -> Iterator[dict[str, Any]]:
        for raw in self._all("volume"):
            if raw.get("published") is True:
                yield {
                    **_volume(raw),
                    "author": self._author(raw, placed=True),
                    "painters": [
                        {**_named(painter), **_own(painter, "palette", "place")}
                        for painter in self._many("creator", raw.get("painters"))
                        if _is(painter, "Creator.Painter")
                    ],
                    "subjects": [
                        _named(subject)
                        for subject in self._many("subject", raw.get("subjects"))
                    ],
                    "editions": [
                        {**_own(edition, "publisher"), "place": self._place(edition)}
                        for edition in raw.get("editions") or ()
                    ],
                }

    def _opinions(self) -> Iterator[dict[str, Any]]:
        for raw in self._all("opinion"):
            volume = self._one("volume", raw.get("volume"))
            yield {
                "id": str(raw["_id"]),
                **_own(raw, "text", "stars"),
                "volume": volume
                and {
                    **_volume(volume),
                    "author": self._author(volume, placed=False),
                    "painters": volume.get("painters") or [],
                    "subjects": volume.get("subjects") or [],
                    "editions": [
                        _own(edition, "publisher", "place")
                        for edition in volume.get("editions") or ()
                    ],
                },
            }

    def _honours(self) -> Iterator[dict[str, Any]]:
        for raw in self._all("honour"):
            creator = self._one("creator", raw.get("creator"))
            is_one = creator is not None and _is(creator, "Creator")
            yield {
                **_named(raw),
                "creator": self._creator(creator) if creator and is_one else None,
            }

    def _creator(self, raw: Raw) -> dict[str, Any]:
        return {**_named(raw), "place": self._place(raw)}

    def _author(self, raw: Raw, *, placed: bool) -> dict[str, Any] | None:
        author = self._one("creator", raw.get("a"))
        if author is None or not _is(author, "Creator.Novelist"):
            return None
        place = self._place(author) if placed else author.get("place")
        return {**_named(author), **_own(author, "style"), "place": place}

    def _place(self, raw: Raw) -> dict[str, Any] | None:
        place = self._one("place", raw.get("place"))
        return None if place is None else _named(place)

    # --- what is there -----------------------------------------------------------

    def _all(self, collection: str) -> Iterator[Raw]:
        yield from self._database[collection].find(self._query)

    def _one(self, collection: str, key: Any) -> Raw | None:
        place = (collection, key)
        if place not in self._found:
            self._found[place] = self._database[collection].find_one({"_id": key})
        return self._found[place]

    def _many(self, collection: str, keys: Sequence[Any] | None) -> Iterator[Raw]:
        for key in keys or ():
            if raw := self._one(collection, key):
                yield raw


def _is(raw: Raw, class_name: str) -> bool:
    """Whether a document belongs to a class, or to one that inherits from it."""
    return f"{raw.get('_cls')}.".startswith(f"{class_name}.")


def _own(raw: Raw, *names: str) -> dict[str, Any]:
    return {name: raw.get(name) for name in names}


def _named(raw: Raw) -> dict[str, Any]:
    return {"id": raw["_id"], "name": raw.get("name")}


def _volume(raw: Raw) -> dict[str, Any]:
    """What a volume shows beside its references."""
    price, blurb = raw.get("price"), raw.get("blurb")
    return {
        "id": raw["_id"],
        "title": raw.get("t"),
        **_own(raw, "year", "published"),
        "price": None if price is None else str(price),
        "blurb": blurb and {"text": blurb.get("x"), "words": blurb.get("words")},
    }
