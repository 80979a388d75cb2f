"""Triggers follow the rows of classes, however these are mapped."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from pyramid.exceptions import ConfigurationExecutionError
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    mapped_column,
    relationship,
)

from nefertari_engine_base.exceptions import ConfigurationError
from tests.sync.unheard import Unheard


@pytest.fixture
def base():
    return type("Base", (DeclarativeBase,), {})


def refused(url, models, match, *before):
    # By the start of the application, or where only triggers cannot follow.
    errors = (ConfigurationError, ConfigurationExecutionError)
    with (
        pytest.raises(errors, match=match),
        Unheard(url, models, *before).setup() as app,
    ):
        app.triggers.install()


def test_rows_of_classes_without_documents_leave_no_entries(base, database_url):
    class Animal(base):
        __tablename__ = "animals"
        __mapper_args__ = {"polymorphic_on": "kind"}
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        name: Mapped[str | None]

    class Dog(Animal):
        __mapper_args__ = {"polymorphic_identity": "dog"}

    class Cat(Animal):
        __mapper_args__ = {"polymorphic_identity": "cat"}

    with Unheard(database_url, {Dog: {}}).installed() as app:
        insert = "INSERT INTO animals VALUES ({0}, '{1}', 'a')"
        app.write(insert.format(1, "cat"), "DELETE FROM animals")
        assert app.entries() == []
        app.write(insert.format(2, "dog"), insert.format(3, "cat"))
        app.write("DELETE FROM animals")
        assert app.entries() == [("Dog", "", "2"), ("Dog", "", "2")]
        app.check()


def test_a_row_without_a_key_which_sqlite_takes_is_written_and_no_document(
    base, tmp_path
):
    """https://www.sqlite.org/quirks.html#primary_keys_can_sometimes_contain_nulls"""

    class Word(base):
        __tablename__ = "words"
        text: Mapped[str] = mapped_column(primary_key=True)

    with Unheard(
        f"sqlite:///{tmp_path}/words.sqlite",
        {Word: {}},
        "CREATE TABLE words (text VARCHAR PRIMARY KEY)",
    ).installed() as app:
        app.write("INSERT INTO words VALUES (NULL), ('a')", "DELETE FROM words")
        assert app.entries() == [("Word", "", "a"), ("Word", "", "a")]


# --- inheritance -------------------------------------------------------------------


def family(base, **options):
    class Being(base):
        __tablename__ = "beings"
        __mapper_args__ = {**options}
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str | None]
        name: Mapped[str | None]

    class Animal(Being):
        __tablename__ = "animals"
        __mapper_args__ = {"polymorphic_identity": "animal"} if options else {}
        id: Mapped[int] = mapped_column(sa.ForeignKey("beings.id"), primary_key=True)
        legs: Mapped[int | None]

    class Dog(Animal):
        __tablename__ = "dogs"
        __mapper_args__ = {"polymorphic_identity": "dog"} if options else {}
        id: Mapped[int] = mapped_column(sa.ForeignKey("animals.id"), primary_key=True)
        trick: Mapped[str | None]

    return Being, Animal, Dog


@pytest.mark.parametrize("options", [{"polymorphic_on": "kind"}, {}])
def test_rows_of_three_levels_of_tables_are_followed(database_url, base, options):
    being, animal, dog = family(base, **options)
    with Unheard(database_url, {being: {}, animal: {}, dog: {}}).installed() as app:
        app.write(
            "INSERT INTO beings VALUES (1, 'dog', 'Rex'), (2, 'animal', 'Tom')",
            "INSERT INTO animals VALUES (1, 4), (2, 2)",
            "INSERT INTO dogs VALUES (1, 'sit')",
        )
        app.check()
        for statement in (
            "UPDATE beings SET name = 'Max' WHERE id = 1",
            "UPDATE animals SET legs = 3 WHERE id = 1",
            "UPDATE dogs SET trick = 'roll'",
        ):
            app.write(statement)
            assert ("Dog", "", "1") in app.entries()
            app.check()
        # It is a dog no longer.
        app.write("UPDATE beings SET kind = 'animal'", "DELETE FROM dogs")
        app.check()
        app.write("DELETE FROM animals", "DELETE FROM beings")
        app.check()
        assert app.documents(dog) == app.documents(being) == {}


@pytest.mark.parametrize(
    "told",
    [
        lambda t: sa.case((t.c.code < 10, "few"), else_="many"),
        lambda t: sa.func.substr(t.c.word, 1, 4),
    ],
)
def test_a_class_that_an_expression_tells_is_followed(database_url, base, told):
    table = sa.Table(
        "things",
        base.metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("code", sa.Integer),
        sa.Column("word", sa.String(10)),
        sa.Column("name", sa.String(10)),
    )

    class Thing(base):
        __table__ = table
        __mapper_args__ = {"polymorphic_on": told(table)}

    class Few(Thing):
        __mapper_args__ = {"polymorphic_identity": "few"}

    class Many(Thing):
        __mapper_args__ = {"polymorphic_identity": "many"}

    hidden = {"exclude": ("code", "word")}
    with Unheard(database_url, {Few: hidden, Many: hidden}).installed() as app:
        app.write("INSERT INTO things VALUES (1, 1, 'few', 'a'), (2, 20, 'many', 'b')")
        app.check()
        assert app.documents(Few).keys() == {"1"}
        app.write("UPDATE things SET code = 30, word = 'many' WHERE id = 1")
        app.check()
        assert app.documents(Many).keys() == {"1", "2"}


def test_the_documents_of_both_classes_follow_a_changed_discriminator(
    database_url, base
):
    class Animal(base):
        __tablename__ = "animals"
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        keeper_id: Mapped[int | None] = mapped_column(sa.ForeignKey("keepers.id"))

    class Cat(Animal):
        __mapper_args__ = {"polymorphic_identity": "cat"}

    class Nobody(Animal):
        """No row is of this class."""

        __mapper_args__ = {"polymorphic_abstract": True}

    class Keeper(base):
        __tablename__ = "keepers"
        id: Mapped[int] = mapped_column(primary_key=True)
        best_id: Mapped[int | None] = mapped_column(
            sa.ForeignKey("animals.id", use_alter=True)
        )
        cats: Mapped[list[Cat]] = relationship(foreign_keys=Animal.keeper_id)
        best: Mapped[Cat | None] = relationship(foreign_keys=best_id)

    options = {Animal: {}, Cat: {}, Nobody: {}, Keeper: {"nested": ("cats", "best")}}
    with Unheard(database_url, options).installed() as app:
        app.write(
            "INSERT INTO keepers VALUES (1, NULL), (2, NULL)",
            "INSERT INTO animals VALUES (1, 'cat', 1), (2, 'animal', 1)",
            "UPDATE keepers SET best_id = 1 WHERE id = 2",
        )
        app.check()
        app.write(
            "UPDATE animals SET kind = CASE id WHEN 1 THEN 'animal' ELSE 'cat' END"
        )
        app.check()
        assert app.documents(Cat).keys() == {"2"}
        assert app.documents(Keeper)["2"]["best"] is None


def test_two_classes_on_one_table_have_their_own_documents(database_url, base):
    class Film(base):
        __tablename__ = "films"
        id: Mapped[int] = mapped_column(primary_key=True)
        title: Mapped[str | None]
        price: Mapped[int | None]

    class Offer(base):
        __table__ = Film.__table__
        __mapper_args__ = {"include_properties": ["id", "price"]}

    with Unheard(database_url, {Film: {}, Offer: {}}).installed() as app:
        app.write("INSERT INTO films VALUES (1, 'a', 3)")
        app.check()
        app.write("UPDATE films SET title = 'b'")
        assert app.entries() == [("Film", "", "1")]
        app.check()
        app.write("UPDATE films SET price = 4")
        assert sorted(app.entries()) == [("Film", "", "1"), ("Offer", "", "1")]
        app.check()
        app.write("DELETE FROM films")
        app.check()


# --- expressions, views ------------------------------------------------------------


def shop(base):
    class Item(base):
        __tablename__ = "items"
        id: Mapped[int] = mapped_column(primary_key=True)
        shop_id: Mapped[int | None]
        price: Mapped[int | None]
        note: Mapped[str | None]

    class Shop(base):
        __tablename__ = "shops"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str | None]

    return Item, Shop


def test_a_subquery_that_is_correlated_by_the_key_is_followed(database_url, base):
    item, shop_ = shop(base)
    shop_.total = column_property(
        sa.select(sa.func.coalesce(sa.func.sum(item.price), 0))
        .where(item.shop_id == shop_.id, item.note.is_distinct_from("sold"))
        .correlate_except(item)
        .scalar_subquery()
    )
    with Unheard(database_url, {shop_: {}}).installed() as app:
        for statement in (
            "INSERT INTO shops VALUES (1, 'a'), (2, 'b')",
            "INSERT INTO items VALUES (1, 1, 5, NULL), (2, 1, 6, NULL), (3, 2, 7, '')",
            "UPDATE items SET price = 10 WHERE id = 1",
            "UPDATE items SET shop_id = 2 WHERE id = 1",
            "UPDATE items SET note = 'sold' WHERE id = 3",
            "DELETE FROM items",
        ):
            app.write(statement)
            assert app.entries()
            app.check()


@pytest.mark.parametrize(
    "subquery",
    [
        lambda item, shop: sa.select(sa.func.count(item.id)).scalar_subquery(),
        lambda item, shop: (
            sa.select(sa.func.count(item.id))
            .where(item.shop_id < shop.id)
            .scalar_subquery()
        ),
        lambda item, shop: (
            sa.select(sa.func.count(item.id))
            .where(sa.or_(item.shop_id == shop.id, item.price > 3))
            .scalar_subquery()
        ),
    ],
)
def test_a_subquery_that_nobody_can_follow_is_refused(database_url, base, subquery):
    item, shop_ = shop(base)
    shop_.total = column_property(subquery(item, shop_))
    refused(database_url, {shop_: {}}, r"Shop\.total is a subquery")
    with Unheard(database_url, {shop_: {"exclude": ("total",)}}).installed() as app:
        app.write("INSERT INTO shops VALUES (1, 'a')")
        app.check()


def test_a_view_is_refused(database_url, base):
    class Old(base):
        __tablename__ = "old_films"
        __table_args__ = {"info": {"is_view": True}}
        id: Mapped[int] = mapped_column(primary_key=True)

    view = "CREATE VIEW old_films AS SELECT 1 AS id"
    refused(database_url, {Old: {}}, "old_films is a view", view)


def test_a_class_of_a_select_is_refused(database_url, base):
    item, _ = shop(base)

    class Cheap(base):
        __table__ = sa.select(item.__table__).where(item.price < 3).subquery()
        __mapper_args__ = {"primary_key": [__table__.c.id]}

    refused(database_url, {Cheap: {}}, "Cheap, which documents of Cheap show")


# --- relations ---------------------------------------------------------------------


def test_a_link_that_is_no_table_is_refused_at_the_start(database_url, base):
    item, shop_ = shop(base)

    class Sale(base):
        __tablename__ = "sales"
        id: Mapped[int] = mapped_column(primary_key=True)
        item_id: Mapped[int] = mapped_column(sa.ForeignKey("items.id"))
        shop_id: Mapped[int] = mapped_column(sa.ForeignKey("shops.id"))

    class Refund(base):
        __tablename__ = "refunds"
        id: Mapped[int] = mapped_column(primary_key=True)
        sale_id: Mapped[int] = mapped_column(sa.ForeignKey("sales.id"))

    sale, refund = Sale.__table__, Refund.__table__
    shop_.refunded = relationship(
        item,
        secondary=sale.join(refund, refund.c.sale_id == sale.c.id),
        primaryjoin=lambda: shop_.id == sale.c.shop_id,
        secondaryjoin=lambda: item.id == sale.c.item_id,
        viewonly=True,
    )
    with pytest.raises(Exception, match="its secondary is no table"):
        Unheard(database_url, {shop_: {"nested": ("refunded",)}})
    with Unheard(database_url, {shop_: {}}).installed() as app:
        app.write("INSERT INTO shops VALUES (1, 'a')")
        app.check()


def loose(base):
    """Documents that refer to rows which no foreign key keeps."""
    links = sa.Table(
        "links",
        base.metadata,
        sa.Column("film_id", sa.Integer),
        sa.Column("genre_id", sa.Integer),
    )

    class Genre(base):
        __tablename__ = "genres"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str | None]

    class Person(base):
        __tablename__ = "people"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str | None]

    class Film(base):
        __tablename__ = "films"
        id: Mapped[int] = mapped_column(primary_key=True)
        person_id: Mapped[int | None]
        person: Mapped[Person | None] = relationship(
            primaryjoin=lambda: sa.orm.foreign(Film.person_id) == Person.id
        )
        genres: Mapped[list[Genre]] = relationship(
            secondary=links,
            primaryjoin=lambda: Film.id == sa.orm.foreign(links.c.film_id),
            secondaryjoin=lambda: Genre.id == sa.orm.foreign(links.c.genre_id),
            order_by=Genre.id,
        )

    return {Film: {"nested": ("person", "genres")}}


def test_rows_that_no_foreign_key_keeps_may_come_later_and_go_before(
    database_url, base
):
    with Unheard(database_url, loose(base)).installed() as app:
        for statement in (
            "INSERT INTO films VALUES (1, 7), (2, 8)",
            "INSERT INTO links VALUES (1, 5), (1, 5), (2, 6), (2, 5)",
            "INSERT INTO people VALUES (7, 'late')",
            "INSERT INTO genres VALUES (5, 'later'), (9, 'linked by nobody')",
            "UPDATE people SET id = 8",
            "UPDATE genres SET id = 6 WHERE id = 5",
            "UPDATE links SET genre_id = 9 WHERE film_id = 1",
            "DELETE FROM people",
            "DELETE FROM genres",
        ):
            app.write(statement)
            assert app.entries(), statement
            app.check()
        app.write("UPDATE links SET genre_id = genre_id")
        assert app.entries() == []


def test_a_row_may_come_while_the_one_that_refers_to_it_is_not_committed(
    postgresql_database_url, base
):
    with Unheard(postgresql_database_url, loose(base)).installed() as app:
        with app.database.connect() as one, app.database.connect() as two:
            one.exec_driver_sql("INSERT INTO films VALUES (1, 7)")
            two.exec_driver_sql("INSERT INTO people VALUES (7, 'Ann')")
            # Neither has seen the other.
            one.commit()
            app.check()
            two.commit()
        app.check()
        (film,) = app.documents(next(iter(app.models))).values()
        assert film["person"]["name"] == "Ann"
