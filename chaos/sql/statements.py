"""Random changes by statements and bulk methods, which name no instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as upsert

from chaos.sql.models import Author, Book, Country, Review, Tag, book_tags

if TYPE_CHECKING:
    from chaos.sql.changes import Chooser


def _changed(chooser: Chooser, statement: Any, *rows: Any) -> bool:
    mode = chooser.random.choice(["auto", "fetch", False])
    result: Any = chooser.session.execute(
        statement, *rows, execution_options={"synchronize_session": mode}
    )
    return bool(result.rowcount)


def _between(chooser: Chooser, column: Any, model: type[Any], width: int) -> Any:
    return column.between(*chooser.range_of(model, width))


# --- update ----------------------------------------------------------------------


def update_books(chooser: Chooser) -> bool:
    """Update books of some authors."""
    some = _between(chooser, Book.author_id, Author, 5)
    return _changed(chooser, sa.update(Book).where(some).values(year=chooser.year()))


def move_books(chooser: Chooser) -> bool:
    """Books beside each other go to one author."""
    if (author := chooser.some(Author)) is None:
        return False
    some = _between(chooser, Book.id, Book, 8)
    return _changed(chooser, sa.update(Book).where(some).values(author_id=author.id))


def update_countries(chooser: Chooser) -> bool:
    """Update rows that are only shown by others, by an expression."""
    some = _between(chooser, Country.id, Country, 3)
    name = sa.func.left(Country.name, 8) + chooser.word()
    return _changed(chooser, sa.update(Country).where(some).values(name=name))


def update_by_key(chooser: Chooser) -> bool:
    """Update by a list of keys with values."""
    if (book := chooser.some(Book)) is None:
        return False
    rows = [{"id": book.id, "title": chooser.word()}]
    chooser.session.execute(sa.update(Book), rows)
    return True


def query_update(chooser: Chooser) -> bool:
    """Update as the legacy query does."""
    some = _between(chooser, Review.book_id, Book, 6)
    values = {Review.stars: chooser.random.randint(1, 5)}
    query = chooser.session.query(Review).filter(some)
    return bool(query.update(values, synchronize_session=False))


def renumber_reviews(chooser: Chooser) -> bool:
    """Rows get other keys, and so other documents."""
    some = _between(chooser, Review.book_id, Book, 3)
    values = {"number": Review.number + 1000}
    few = Review.number < 10_000
    return _changed(chooser, sa.update(Review).where(some, few).values(values))


# --- delete ----------------------------------------------------------------------


def delete_books(chooser: Chooser) -> bool:
    """Books beside each other go, with their reviews and links."""
    return _changed(chooser, sa.delete(Book).where(_between(chooser, Book.id, Book, 4)))


def delete_reviews(chooser: Chooser) -> bool:
    """Bad reviews go."""
    some = _between(chooser, Review.book_id, Book, 30)
    return _changed(chooser, sa.delete(Review).where(some, Review.stars <= 2))


def delete_authors(chooser: Chooser) -> bool:
    """Authors go, with their books, the reviews of those, and not their prizes."""
    some = _between(chooser, Author.id, Author, 3)
    return _changed(chooser, sa.delete(Author).where(some))


# --- insert ----------------------------------------------------------------------


def _book_values(chooser: Chooser) -> dict[str, Any]:
    author = chooser.some(Author)
    values = {"title": chooser.word(), "year": chooser.year(), "price": chooser.price()}
    return {**values, "author_id": author and author.id}


def insert_books(chooser: Chooser) -> bool:
    """Insert several rows by one statement."""
    rows = [_book_values(chooser) for _ in range(chooser.random.randint(1, 5))]
    chooser.session.execute(sa.insert(Book), rows)
    return True


def copy_books(chooser: Chooser) -> bool:
    """Insert what a query gives."""
    some = _between(chooser, Book.id, Book, 4)
    columns = [Book.title, Book.author_id]
    copies = sa.select(*columns).where(some)
    chooser.session.execute(sa.insert(Book).from_select(["title", "author_id"], copies))
    return True


def upsert_books(chooser: Chooser) -> bool:
    """Insert books, or update those that are there; some come back from the dead."""
    first, last = chooser.range_of(Book, 3)
    rows = [
        {"id": number, **_book_values(chooser)}
        for number in range(first, min(last, chooser.number(Book)) + 1)
    ]
    if not rows:
        return False
    statement = upsert(Book)
    chosen = {name: statement.excluded[name] for name in ("title", "author_id")}
    statement = statement.on_conflict_do_update(index_elements=["id"], set_=chosen)
    chooser.session.execute(statement, rows)
    return True


def upsert_reviews(chooser: Chooser) -> bool:
    """Insert reviews where there are none of the same key."""
    if (book := chooser.some(Book)) is None:
        return False
    rows = [
        {"book_id": book.id, "number": number, "text": chooser.word(), "stars": 3}
        for number in range(chooser.random.randint(1, 4))
    ]
    chooser.session.execute(upsert(Review).on_conflict_do_nothing(), rows)
    return True


def link_tags(chooser: Chooser) -> bool:
    """Links are inserted into their table."""
    if (tag := chooser.some(Tag)) is None:
        return False
    some = _between(chooser, Book.id, Book, 6)
    books = chooser.session.scalars(sa.select(Book.id).where(some)).all()
    if not books:
        return False
    rows = [{"book_id": book, "tag_id": tag.id} for book in books]
    chooser.session.execute(upsert(book_tags).on_conflict_do_nothing(), rows)
    return True


def unlink_tags(chooser: Chooser) -> bool:
    """Links are deleted from their table."""
    some = _between(chooser, book_tags.c.book_id, Book, 10)
    result: Any = chooser.session.execute(sa.delete(book_tags).where(some))
    return bool(result.rowcount)


def bulk_methods(chooser: Chooser) -> bool:
    """The legacy bulk methods, all three."""
    if (book := chooser.some(Book)) is None:
        return False
    session = chooser.session
    session.bulk_insert_mappings(sa.inspect(Book), [_book_values(chooser)])
    session.bulk_update_mappings(
        sa.inspect(Book), [{"id": book.id, "price": chooser.price()}]
    )
    session.bulk_save_objects([chooser.new_book(author_id=book.author_id)])
    return True


#: Those that delete least, and how often each is chosen beside the others.
KINDS: dict[Callable[[Any], bool], int] = {
    update_books: 2, move_books: 2, update_countries: 1, update_by_key: 2,
    query_update: 1, renumber_reviews: 1, insert_books: 2, copy_books: 1,
    upsert_books: 2, upsert_reviews: 2, link_tags: 1, unlink_tags: 1, bulk_methods: 1,
}  # fmt: skip
