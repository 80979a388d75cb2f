"""Random changes by query sets, which name no instances and send no signals."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mongoengine.errors import BulkWriteError, NotUniqueError

from chaos.mongo.models import (
    Creator,
    Novelist,
    Opinion,
    Painter,
    Place,
    Subject,
    Volume,
)

if TYPE_CHECKING:
    from chaos.mongo.changes import Chooser


def _some(chooser: Chooser, model: Any, width: int, field: str = "_id") -> Any:
    """Documents of a model whose keys, or references to others, are beside each
    other."""
    of = {"_id": model, "a": Novelist, "volume": Volume}[field]
    return model.objects(__raw__={field: chooser.range_of(of, width)})


# --- update ----------------------------------------------------------------------


def update(chooser: Chooser) -> bool:
    """Update volumes of some authors."""
    some = _some(chooser, Volume, 5, "a")
    return bool(some.update(set__year=chooser.year(), inc__blurb__words=1))


def move(chooser: Chooser) -> bool:
    """Volumes beside each other go to one author."""
    some = _some(chooser, Volume, 8)
    return bool(some.update(set__author=chooser.some(Novelist)))


def publish(chooser: Chooser) -> bool:
    """Volumes get a document, or lose it."""
    some = _some(chooser, Volume, 6)
    return bool(some.update(set__published=chooser.random.random() < 0.7))


def update_places(chooser: Chooser) -> bool:
    """Update what is only shown by others."""
    return bool(_some(chooser, Place, 3).update(set__name=chooser.word()))


def change_lists(chooser: Chooser) -> bool:
    """Push to lists, and pull from them."""
    some, subject = _some(chooser, Volume, 6), chooser.some(Subject)
    if chooser.random.random() < 0.5:
        return bool(some.update(add_to_set__subjects=subject))
    return bool(some.update(pull__subjects=subject))


def change_editions(chooser: Chooser) -> bool:
    """Change embedded documents by the place that the query has found them at."""
    place = chooser.some(Place)
    some = _some(chooser, Volume, 30).filter(editions__place=place)
    return bool(some.update(set__editions__S__publisher=chooser.word()))


def change_all_editions(chooser: Chooser) -> bool:
    """Change embedded documents by a filter of their list."""
    change = {"$set": {"editions.$[one].publisher": chooser.word()}}
    filters = [{"one.place": chooser.number(Place)}]
    some = _some(chooser, Volume, 20).filter(editions__0__exists=True)
    return bool(some.update(__raw__=change, array_filters=filters))


def update_opinions(chooser: Chooser) -> bool:
    """Update by a reference."""
    some = _some(chooser, Opinion, 6, "volume")
    return bool(some.update(set__stars=chooser.random.randint(1, 5)))


def update_one(chooser: Chooser) -> bool:
    """Update the first in an order."""
    some = _some(chooser, Volume, 10).order_by("-year")
    return bool(some.update_one(set__title=chooser.word()))


def modify(chooser: Chooser) -> bool:
    """Find one and modify it."""
    some = _some(chooser, Volume, 10).order_by("year")
    found = some.modify(set__title=chooser.word(), new=chooser.random.random() < 0.5)
    return found is not None


def replace(chooser: Chooser) -> bool:
    """Replace a document by PyMongo's own method."""
    collection: Any = Volume._get_collection()
    chosen = {"_id": chooser.number(Volume)}
    raw = chooser.new_volume().to_mongo().to_dict()
    del raw["_id"]
    if chooser.random.random() < 0.5:
        return bool(collection.replace_one(chosen, raw).matched_count)
    return collection.find_one_and_replace(chosen, raw) is not None


def change_class(chooser: Chooser) -> bool:
    """Novelists become painters, or painters novelists."""
    name = chooser.random.choice([Novelist, Painter])._class_name
    # Instances of one class cannot be made with the other's fields.
    change = {"$set": {"_cls": name}, "$unset": {"style": 1, "palette": 1}}
    return bool(_some(chooser, Creator, 2).update(__raw__=change))


# --- insert ----------------------------------------------------------------------


def insert(chooser: Chooser) -> bool:
    """Insert several documents at once."""
    author = chooser.some(Novelist)
    new = [
        chooser.new_volume(author=author) for _ in range(chooser.random.randint(1, 5))
    ]
    Volume.objects.insert(new, load_bulk=chooser.random.random() < 0.5)
    return True


def insert_what_is_there(chooser: Chooser) -> bool:
    """Insert several documents, one of which may be there: those before it stay."""
    keys = [None, chooser.number(Volume), None]
    new = [chooser.new_volume(**({"id": key} if key else {})) for key in keys]
    # Those that were inserted count.
    with suppress(BulkWriteError, NotUniqueError):
        Volume.objects.insert(new, load_bulk=False)
    return True


def upsert_one(chooser: Chooser) -> bool:
    """Change a volume, or insert it; some come back from the dead."""
    update = {"set__title": chooser.word(), "set__published": True}
    Volume.objects(pk=chooser.number(Volume)).upsert_one(**update)
    return True


def upsert(chooser: Chooser) -> bool:
    """The same by ``update``, ``update_one`` and ``modify``."""
    some = Volume.objects(pk=chooser.number(Volume))
    change = {"set__year": chooser.year(), "set_on_insert__published": True}
    way = chooser.random.choice([some.update, some.update_one, some.modify])
    way(upsert=True, **change)
    return True


def upsert_by_text(chooser: Chooser) -> bool:
    """Change what has a name, or insert it, while others do the same."""
    name = f"one of {chooser.random.randrange(5)}"
    place = chooser.some(Place)
    Painter.objects(name=name).update_one(
        upsert=True, set__place=place, set_on_insert__id=Painter.id.generate()
    )
    return True


# --- delete ----------------------------------------------------------------------


def delete_volumes(chooser: Chooser) -> bool:
    """Volumes beside each other go, with their opinions."""
    return bool(_some(chooser, Volume, 4).delete())


def delete_creators(chooser: Chooser) -> bool:
    """Creators go; whoever refers to them by their class does not hear of it."""
    return bool(_some(chooser, Creator, 2).delete())


def delete_opinions(chooser: Chooser) -> bool:
    """The first bad opinions go."""
    bad = _some(chooser, Opinion, 30, "volume").filter(stars__lte=2)
    return bool(bad.order_by("stars").limit(5).delete())


def take(chooser: Chooser) -> bool:
    """Find one and remove it."""
    some = _some(chooser, Volume, 10).order_by("year")
    return some.modify(remove=True) is not None


#: Those that delete, and how often each is chosen beside the others.
DELETES: dict[Callable[[Any], bool], int] = {
    delete_volumes: 1, delete_creators: 1, delete_opinions: 2, take: 1,
}  # fmt: skip

#: The others.
KINDS: dict[Callable[[Any], bool], int] = {
    update: 3, move: 2, publish: 2, update_places: 1, change_lists: 3,
    change_editions: 2, change_all_editions: 1, update_opinions: 1, update_one: 3,
    modify: 3, replace: 2, change_class: 1, insert: 3, insert_what_is_there: 1,
    upsert_one: 3, upsert: 3, upsert_by_text: 2,
}  # fmt: skip
