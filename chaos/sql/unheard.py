"""Random changes that no session hears of: text, and COPY, on its connection.

Triggers alone tell of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from chaos.sql.models import Author, Book, Country, Tag

if TYPE_CHECKING:
    from chaos.sql.changes import Chooser


def _execute(chooser: Chooser, statement: str, **values: Any) -> bool:
    chooser.session.flush()
    connection = chooser.session.connection()
    return bool(connection.execute(sa.text(statement), values).rowcount)


def _range(chooser: Chooser, model: type[Any], width: int) -> dict[str, int]:
    first, last = chooser.range_of(model, width)
    return {"first": first, "last": last}


def update_texts(chooser: Chooser) -> bool:
    """Books get another title, and reviews another text."""
    some, word = _range(chooser, Book, 5), chooser.word()
    statement = "UPDATE {} SET {} = :word WHERE {} BETWEEN :first AND :last"
    books = _execute(
        chooser, statement.format("books", "title", "id"), word=word, **some
    )
    reviews = statement.format("reviews", "text", "book_id")
    return _execute(chooser, reviews, word=word, **some) or books


def move(chooser: Chooser) -> bool:
    """Books go to another author, or to nobody."""
    author = chooser.some(Author)
    statement = "UPDATE books SET author_id = :author WHERE id BETWEEN :first AND :last"
    some = _range(chooser, Book, 6)
    return _execute(chooser, statement, author=author and author.id, **some)


def rename_embedded(chooser: Chooser) -> bool:
    """Rows that are only shown by others get another name."""
    table = chooser.random.choice(["countries", "tags"])
    model = {"countries": Country, "tags": Tag}[table]
    statement = f"UPDATE {table} SET name = :word WHERE id = :key"
    return _execute(chooser, statement, word=chooser.word(), key=chooser.number(model))


def remove(chooser: Chooser) -> bool:
    """Rows go, with what the database cascades from them."""
    table, model = chooser.random.choice([("books", Book), ("authors", Author)])
    statement = f"DELETE FROM {table} WHERE id BETWEEN :first AND :last"
    return _execute(chooser, statement, **_range(chooser, model, 3))


def link(chooser: Chooser) -> bool:
    """Links come and go by their table."""
    some, tag = _range(chooser, Book, 6), chooser.number(Tag)
    gone = _execute(
        chooser,
        "DELETE FROM book_tags WHERE book_id BETWEEN :first AND :last "
        "AND tag_id <> :tag",
        tag=tag,
        **some,
    )
    statement = (
        "INSERT INTO book_tags (book_id, tag_id) SELECT books.id, tags.id "
        "FROM books, tags WHERE books.id BETWEEN :first AND :last AND tags.id = :tag "
        "ON CONFLICT DO NOTHING"
    )
    return _execute(chooser, statement, tag=tag, **some) or gone


def copy(chooser: Chooser) -> bool:
    """Books come by COPY."""
    author = chooser.some(Author)
    rows = [
        (chooser.word(), chooser.year(), author and author.id)
        for _ in range(chooser.random.randint(1, 20))
    ]
    chooser.session.flush()
    driver: Any = chooser.session.connection().connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy("COPY books (title, year, author_id) FROM STDIN") as lines,
    ):
        for row in rows:
            lines.write_row(row)
    return True


#: Every kind, and how often it is chosen beside the others of this list.
KINDS: dict[Callable[[Any], bool], int] = {
    update_texts: 4, move: 3, rename_embedded: 2, remove: 2, link: 3, copy: 1,
}  # fmt: skip
