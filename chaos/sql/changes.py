"""Random changes of every kind that an application can make through a session."""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from chaos.sql import statements
from chaos.sql.models import (
    Author,
    Book,
    Country,
    Prize,
    Review,
    Tag,
)
from chaos.sql.unheard import KINDS as UNHEARD

#: What a change is given; it returns whether it has found something to change.
Change = Callable[["Chooser"], bool]

#: So many authors, books and reviews together count as a crowd, which is thinned out.
CROWD = 1200


class Chooser:
    """Chooses rows and values for the changes of one transaction.

    :param locking: rows are locked before they are changed, as an application does
        that must not lose an update.
    """

    def __init__(
        self, session: Session, random_: random.Random, *, locking: bool
    ) -> None:
        self.session = session
        self.random = random_
        self.locking = locking

    def some(self, model: type[Any]) -> Any | None:
        """A row of a model, or ``None`` if there is none."""
        key = sa.inspect(model).primary_key
        query = sa.select(model).where(key[0] >= self.number(model)).order_by(*key)
        if self.locking:
            query = query.with_for_update(of=model)
        return self.session.scalars(query.limit(1)).first()

    def number(self, model: type[Any]) -> int:
        """A key that a row of the model has, or once had, or might have had."""
        highest = sa.select(sa.func.max(sa.inspect(model).primary_key[0]))
        return self.random.randint(1, self.session.scalar(highest) or 1)

    def range_of(self, model: type[Any], width: int) -> tuple[int, int]:
        """The first and the last of about ``width`` keys beside each other."""
        first = self.number(model)
        return first, first + self.random.randrange(width)

    def word(self) -> str:
        """Text that hardly comes twice, some of it beyond ASCII."""
        return f"{self.random.choice('aeouäł“漢')}{self.random.randrange(10**6)}"

    def year(self) -> int | None:
        """A year, or none."""
        return self.random.choice([None, *range(1950, 2020)])

    def price(self) -> Decimal | None:
        """A price of two places, or none."""
        return self.random.choice([None, Decimal(self.random.randrange(10**6)) / 100])

    def new_book(self, **values: Any) -> Book:
        """A book that is in no session."""
        return Book(title=self.word(), year=self.year(), price=self.price(), **values)


# --- creating --------------------------------------------------------------------


def create_author(chooser: Chooser) -> bool:
    """An author with books and their reviews, all at once."""
    author = Author(name=chooser.word(), country=chooser.some(Country))
    for _ in range(chooser.random.randrange(4)):
        book = chooser.new_book()
        book.reviews = [
            Review(number=number, text=chooser.word(), stars=1)
            for number in range(chooser.random.randrange(3))
        ]
        author.books.append(book)
    chooser.session.add(author)
    return True


def create_book(chooser: Chooser) -> bool:
    """A book of an author, or of nobody."""
    author = chooser.some(Author) if chooser.random.random() < 0.9 else None
    chooser.session.add(chooser.new_book(author=author))
    return True


def create_review(chooser: Chooser) -> bool:
    """A review with a key of two parts, which may be taken."""
    if (book := chooser.some(Book)) is None:
        return False
    number = chooser.random.randrange(8)
    if chooser.session.get(Review, (book.id, number)) is not None:
        return False
    stars = chooser.random.randint(1, 5)
    chooser.session.add(
        Review(book_id=book.id, number=number, text=chooser.word(), stars=stars)
    )
    return True


def create_prize(chooser: Chooser) -> bool:
    """A prize of an author, named by the foreign key."""
    author = chooser.some(Author)
    chooser.session.add(Prize(name=chooser.word(), author_id=author and author.id))
    return True


# --- updating --------------------------------------------------------------------


def rename(model: type[Any], field: str) -> Change:
    """A change of one text of a row."""

    def change(chooser: Chooser) -> bool:
        if row := chooser.some(model):
            setattr(row, field, chooser.word())
        return row is not None

    change.__name__ = f"rename_{model.__name__.lower()}"
    return change


def move_book(chooser: Chooser) -> bool:
    """A book goes to another author: by foreign key, by relation, by collection."""
    book, author = chooser.some(Book), chooser.some(Author)
    if book is None:
        return False
    if author is None or chooser.random.random() < 0.4:
        book.author_id = author and author.id
    elif chooser.random.random() < 0.5:
        book.author = author
    else:
        author.books.append(book)
    return True


def move_author(chooser: Chooser) -> bool:
    """An author goes to another country."""
    if author := chooser.some(Author):
        author.country = chooser.some(Country)
    return author is not None


def move_prize(chooser: Chooser) -> bool:
    """A prize goes to another author."""
    if prize := chooser.some(Prize):
        prize.author = chooser.some(Author)
    return prize is not None


def renumber_review(chooser: Chooser) -> bool:
    """A row gets another key, and so another document."""
    review = chooser.some(Review)
    if review is None:
        return False
    number = chooser.random.randrange(8, 100)
    if chooser.session.get(Review, (review.book_id, number)) is not None:
        return False
    review.number = number
    return True


def change_tags(chooser: Chooser) -> bool:
    """A link is added, or taken away if it is there."""
    book, tag = chooser.some(Book), chooser.some(Tag)
    if book is None or tag is None:
        return False
    if tag in book.tags:
        book.tags.remove(tag)
    else:
        book.tags.append(tag)
    return True


# --- deleting --------------------------------------------------------------------


def delete(model: type[Any]) -> Change:
    """A delete of a row, with what the database cascades from it."""

    def change(chooser: Chooser) -> bool:
        if row := chooser.some(model):
            chooser.session.delete(row)
        return row is not None

    change.__name__ = f"delete_{model.__name__.lower()}"
    return change


def delete_country(chooser: Chooser) -> bool:
    """A country goes, and another one comes; its authors have none."""
    if country := chooser.some(Country):
        chooser.session.delete(country)
        chooser.session.add(Country(name=chooser.word()))
    return country is not None


def delete_tag(chooser: Chooser) -> bool:
    """A tag goes with its links, and another one comes."""
    if tag := chooser.some(Tag):
        chooser.session.delete(tag)
        chooser.session.add(Tag(name=chooser.word()))
    return tag is not None


# --- choosing --------------------------------------------------------------------

_DELETES: dict[Change, int] = {
    delete(Author): 2, delete(Book): 3, delete(Review): 3,
    statements.delete_authors: 1, statements.delete_books: 1,
    statements.delete_reviews: 2,
}  # fmt: skip

#: Every kind, and how often it is chosen beside the others.
KINDS: dict[Change, int] = {
    create_author: 6, create_book: 6, create_review: 6, create_prize: 2,
    rename(Author, "name"): 4, rename(Book, "title"): 6, rename(Review, "text"): 4,
    rename(Prize, "name"): 2, rename(Country, "name"): 1, rename(Tag, "name"): 2,
    move_book: 8, move_author: 3, move_prize: 3, renumber_review: 2, change_tags: 8,
    delete(Prize): 1, delete_country: 1, delete_tag: 1,
    **_DELETES, **statements.KINDS,
}  # fmt: skip


def choose(random_: random.Random, *, crowded: bool, unheard: bool) -> Change:
    """A kind of change; mostly one that deletes where there are too many rows.

    :param unheard: half of them are made behind the session's back.
    """
    kinds = _DELETES if crowded and random_.random() < 0.5 else KINDS
    if unheard and random_.random() < 0.5:
        kinds = UNHEARD
    return random_.choices(list(kinds), list(kinds.values()))[0]


def is_crowded(session: Session) -> bool:
    """Whether there are more rows than a comparison should take long for."""
    counts = (
        sa.select(sa.func.count()).select_from(model).scalar_subquery()
        for model in (Author, Book, Review)
    )
    return sum(session.execute(sa.select(*counts)).one()) > CROWD
