"""Random changes of every kind that an application can make by its documents."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from chaos.mongo import querysets
from chaos.mongo.models import (
    Blurb,
    Creator,
    Edition,
    Honour,
    Novelist,
    Opinion,
    Painter,
    Place,
    Subject,
    Volume,
)

#: What a change is given; it returns whether it has found something to change.
Change = Callable[["Chooser"], bool]

#: So many creators, volumes and opinions together count as a crowd, which is thinned
#: out.
CROWD = 1200

#: How many instances are kept to be saved later, when others have changed or deleted
#: what they stand for.
_KEPT = 6


class Chooser:
    """Chooses documents and values for changes.

    :attr kept: instances that were loaded a while ago.
    """

    def __init__(self, random_: random.Random) -> None:
        self.random = random_
        self.kept: deque[Any] = deque(maxlen=_KEPT)

    def some(self, model: Any) -> Any | None:
        """A document of a model, or ``None`` if there is none."""
        if model is Opinion:
            near = {"volume": {"$gte": self.number(Volume)}}
            return Opinion.objects(__raw__=near).order_by("volume").first()
        return model.objects(pk__gte=self.number(model)).order_by("pk").first()

    def number(self, model: Any) -> int:
        """A key that a document of the model has, or once had, or might have had."""
        highest = model.objects.order_by("-pk").scalar("pk").first()
        return self.random.randint(1, highest or 1)

    def range_of(self, model: Any, width: int) -> dict[str, int]:
        """The query for about ``width`` keys beside each other."""
        first = self.number(model)
        return {"$gte": first, "$lte": first + self.random.randrange(width)}

    def word(self) -> str:
        """Text that hardly comes twice, some of it beyond ASCII."""
        return f"{self.random.choice('aeouäł“漢')}{self.random.randrange(10**6)}"

    def year(self) -> int | None:
        """A year, or none."""
        return self.random.choice([None, *range(1950, 2020)])

    def price(self) -> Decimal | None:
        """A price of two places, or none."""
        return self.random.choice([None, Decimal(self.random.randrange(10**6)) / 100])

    def edition(self) -> Edition:
        """An edition somewhere, or nowhere."""
        return Edition(publisher=self.word(), place=self.some(Place))

    def new_volume(self, **values: Any) -> Volume:
        """A volume that is not saved."""
        values = {
            "title": self.word(),
            "year": self.year(),
            "price": self.price(),
            "published": self.random.random() < 0.9,
            "editions": [self.edition() for _ in range(self.random.randrange(3))],
            **values,
        }
        if self.random.random() < 0.3:
            values["blurb"] = Blurb(text=self.word(), words=1)
        if (painter := self.some(Painter)) and self.random.random() < 0.5:
            values["painters"] = [painter]
        return Volume(**values)


# --- creating --------------------------------------------------------------------


def create_creator(chooser: Chooser) -> bool:
    """A novelist with volumes and their opinions, or a painter."""
    place = chooser.some(Place)
    if chooser.random.random() < 0.4:
        Painter(name=chooser.word(), place=place, palette=chooser.word()).save()
        return True
    author = Novelist(name=chooser.word(), place=place, style=chooser.word()).save()
    for _ in range(chooser.random.randrange(3)):
        volume = chooser.new_volume(author=author).save()
        if chooser.random.random() < 0.5:
            Opinion(text=chooser.word(), stars=1, volume=volume).save()
    return True


def create_volume(chooser: Chooser) -> bool:
    """A volume of an author, or of nobody."""
    author = chooser.some(Novelist) if chooser.random.random() < 0.9 else None
    chooser.new_volume(author=author).save()
    return True


def create_opinion(chooser: Chooser) -> bool:
    """An opinion, on what may be gone by then."""
    volume = chooser.some(Volume)
    stars = chooser.random.randint(1, 5)
    Opinion(text=chooser.word(), stars=stars, volume=volume).save()
    return True


def create_honour(chooser: Chooser) -> bool:
    """An honour of any creator."""
    Honour(name=chooser.word(), creator=chooser.some(Creator)).save()
    return True


# --- saving ----------------------------------------------------------------------


def rename(model: Any, field: str) -> Change:
    """A change of one text of a document."""

    def change(chooser: Chooser) -> bool:
        if document := chooser.some(model):
            document[field] = chooser.word()
            document.save()
        return document is not None

    change.__name__ = f"rename_{model.__name__.lower()}"
    return change


def change_volume(chooser: Chooser) -> bool:
    """Several things of a volume at once, by one save."""
    volume = chooser.some(Volume)
    if volume is None:
        return False
    for change in chooser.random.sample(_PARTS, 2):
        change(chooser, volume)
    volume.save()
    return True


def _move(chooser: Chooser, volume: Volume) -> None:
    volume.author = chooser.some(Novelist)


def _publish(chooser: Chooser, volume: Volume) -> None:
    volume.published = not volume.published


def _change_editions(chooser: Chooser, volume: Volume) -> None:
    if volume.editions and chooser.random.random() < 0.5:
        volume.editions.pop()
    elif volume.editions:
        volume.editions[0].publisher = chooser.word()
    else:
        volume.editions.append(chooser.edition())


def _change_blurb(chooser: Chooser, volume: Volume) -> None:
    if volume.blurb is None:
        volume.blurb = Blurb(text=chooser.word())
    elif chooser.random.random() < 0.7:
        volume.blurb.words = chooser.random.randrange(1000)
    else:
        volume.blurb = None


def _change_subjects(chooser: Chooser, volume: Volume) -> None:
    subject = chooser.some(Subject)
    if subject in volume.subjects:
        volume.subjects.remove(subject)
    elif subject is not None:
        volume.subjects.append(subject)


def _paint(chooser: Chooser, volume: Volume) -> None:
    painter = chooser.some(Painter)
    volume.painters = [] if painter is None else [painter]


_PARTS: list[Callable[[Chooser, Volume], None]] = [
    _move, _publish, _change_editions, _change_blurb, _change_subjects, _paint,
]  # fmt: skip


def move_creator(chooser: Chooser) -> bool:
    """A creator goes to another place."""
    if creator := chooser.some(Creator):
        creator.place = chooser.some(Place)
        creator.save()
    return creator is not None


def move_honour(chooser: Chooser) -> bool:
    """An honour goes to another creator."""
    if honour := chooser.some(Honour):
        honour.creator = chooser.some(Creator)
        honour.save()
    return honour is not None


def save_in_cascade(chooser: Chooser) -> bool:
    """A volume is saved with its author, and the author with its place."""
    volume = chooser.some(Volume)
    # What a reference leads to is loaded when it is asked for; it may be gone.
    if volume is None or not isinstance(volume.author, Novelist):
        return False
    volume.title, volume.author.name = chooser.word(), chooser.word()
    if isinstance(volume.author.place, Place):
        volume.author.place.name = chooser.word()
    volume.save(cascade=True)
    return True


def save_late(chooser: Chooser) -> bool:
    """What was loaded a while ago is saved now, whatever others have done with it."""
    model = chooser.random.choice([Volume, Volume, Creator, Honour])
    if document := chooser.some(model):
        chooser.kept.append(document)
    if len(chooser.kept) < _KEPT:
        return False
    kept = chooser.kept.popleft()
    kept["title" if isinstance(kept, Volume) else "name"] = chooser.word()
    kept.save()
    return True


def save_if(chooser: Chooser) -> bool:
    """A save on a condition, which may not hold."""
    if volume := chooser.some(Volume):
        volume.title = chooser.word()
        volume.save(save_condition={"published": True})
    return volume is not None


# --- by the methods of documents ---------------------------------------------------


def update_document(chooser: Chooser) -> bool:
    """``update`` of a document, in one of many ways."""
    volume, subject = chooser.some(Volume), chooser.some(Subject)
    if volume is None:
        return False
    update = chooser.random.choice(
        [
            {"set__title": chooser.word(), "inc__year": 1},
            {"unset__year": 1},
            {"set__author": chooser.some(Novelist)},
            {"add_to_set__subjects": subject},
            {"pull__subjects": subject},
            {"push__editions": chooser.edition()},
            {"pop__editions": 1},
            {"set__blurb__words": 7},
            {"set__published": chooser.random.random() < 0.7},
            {"set__notes": chooser.word()},
            {"__raw__": {"$rename": {"notes": "t"}}},
        ]
    )
    volume.update(**update)
    return True


def modify_document(chooser: Chooser) -> bool:
    """``modify`` of a document, on a condition that may not hold."""
    volume = chooser.some(Volume)
    if volume is None:
        return False
    query = {"year": volume.year} if chooser.random.random() < 0.5 else {}
    return bool(volume.modify(query, set__title=chooser.word(), set__year=2000))


# --- deleting --------------------------------------------------------------------


def delete(model: Any) -> Change:
    """A delete of a document, with what follows from it by the rules."""

    def change(chooser: Chooser) -> bool:
        if document := chooser.some(model):
            document.delete()
        return document is not None

    change.__name__ = f"delete_{model.__name__.lower()}"
    return change


def replace_place(chooser: Chooser) -> bool:
    """A place goes, and another one comes; editions refer to what is gone."""
    if place := chooser.some(Place):
        Place(name=chooser.word()).save()
        place.delete()
    return place is not None


def replace_subject(chooser: Chooser) -> bool:
    """A subject goes from all lists, and another one comes."""
    if subject := chooser.some(Subject):
        Subject(name=chooser.word()).save()
        subject.delete()
    return subject is not None


# --- choosing --------------------------------------------------------------------

_DELETES: dict[Change, int] = {
    delete(Novelist): 1, delete(Painter): 1, delete(Volume): 2, delete(Opinion): 2,
    **querysets.DELETES,
}  # fmt: skip

#: Every kind, and how often it is chosen beside the others.
KINDS: dict[Change, int] = {
    create_creator: 9, create_volume: 9, create_opinion: 8, create_honour: 3,
    rename(Creator, "name"): 4, rename(Volume, "title"): 4, rename(Opinion, "text"): 3,
    rename(Honour, "name"): 2, rename(Place, "name"): 1, rename(Subject, "name"): 2,
    change_volume: 12, move_creator: 3, move_honour: 3, save_in_cascade: 4,
    save_late: 4, save_if: 2, update_document: 10, modify_document: 4,
    delete(Honour): 1, replace_place: 1, replace_subject: 1,
    **_DELETES, **querysets.KINDS,
}  # fmt: skip


def choose(random_: random.Random, *, crowded: bool) -> Change:
    """A kind of change; mostly one that deletes where there is too much."""
    kinds = _DELETES if crowded and random_.random() < 0.5 else KINDS
    return random_.choices(list(kinds), list(kinds.values()))[0]


def is_crowded() -> bool:
    """Whether there is more than a comparison should take long for."""
    return sum(model.objects.count() for model in (Creator, Volume, Opinion)) > CROWD
