"""Classes are followed as SQLAlchemy selects them, however they are mapped."""

from __future__ import annotations

import gc
import weakref

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.declarative import ConcreteBase
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, registry

from nefertari_engine_base.setting_up import setting_up
from nefertari_engine_base.sync.worker import drain
from tests.sync.unheard import Unheard


@pytest.fixture
def base():
    return type("Base", (DeclarativeBase,), {})


@pytest.fixture(params=["session", "triggers"])
def started(request, database_url):
    """Starts an application over models, with each capture."""
    made = []

    def start(*models):
        options = {model: {} for model in models}
        with setting_up():
            app = Unheard(database_url, options, nefertari__capture=request.param)
        made.append(app)
        return app.setup()

    yield start
    for app in made:
        app.__exit__()


def save(app, *instances):
    with Session(app.database) as session:
        session.add_all(instances)
        session.commit()
    app.check()


def test_rows_of_concrete_heirs_are_documents_of_the_class_as_well(started, base):
    class Employee(ConcreteBase, base):
        __tablename__ = "employees"
        __mapper_args__ = {"polymorphic_identity": "employee", "concrete": True}
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]

    class Manager(Employee):
        __tablename__ = "managers"
        __mapper_args__ = {"polymorphic_identity": "manager", "concrete": True}
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        car: Mapped[str | None]

    app = started(Employee, Manager)
    save(app, Employee(id=1, name="a"), Manager(id=2, name="b"))
    assert app.documents(Employee).keys() == {"1", "2"}
    with Session(app.database) as session:
        session.execute(sa.update(Manager.__table__).values(name="B"))
        session.commit()
    app.check()
    assert app.documents(Employee)["2"]["name"] == "B"
    with Session(app.database) as session:
        session.delete(session.get(Manager, 2))
        session.commit()
    app.check()
    assert app.documents(Employee).keys() == {"1"}


def test_an_heir_that_names_its_base_s_table_has_documents_of_all_rows(started):
    mapped, metadata = registry(), sa.MetaData()
    widgets = sa.Table(
        "widgets",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(10)),
    )
    widget = type("Widget", (), {})
    special = type("Special", (widget,), {})
    mapped.map_imperatively(
        widget, widgets, polymorphic_on=widgets.c.kind, polymorphic_identity="plain"
    )
    mapped.map_imperatively(
        special, widgets, inherits=widget, polymorphic_identity="special"
    )
    app = started(widget, special)
    save(app, widget(), special())
    # As SQLAlchemy selects its columns.
    assert app.documents(special).keys() == {"1", "2"}


def test_what_tells_a_class_and_is_no_attribute_is_no_field(started, base):
    class Shape(base):
        __tablename__ = "shapes"
        id: Mapped[int] = mapped_column(primary_key=True)
        sides = mapped_column(sa.Integer)
        __mapper_args__ = {
            "polymorphic_on": sa.case((sides == 4, "square"), else_="shape").label(
                "kind"
            ),
            "polymorphic_identity": "shape",
        }

    app = started(Shape)
    save(app, Shape(sides=3))
    assert app.documents(Shape)["1"].keys() >= {"id", "sides"}
    assert "kind" not in app.documents(Shape)["1"]


def test_a_class_whose_mapping_has_failed_does_not_keep_others_from_starting(
    started, base
):
    table = sa.Table(
        "things", base.metadata, sa.Column("id", sa.Integer, primary_key=True)
    )
    with pytest.raises(sa.exc.ArgumentError):
        type("Wrong", (base,), {"__table__": table, "x": mapped_column(sa.Integer)})
    thing = type("Thing", (base,), {"__table__": table})
    app = started(thing)
    save(app, thing())


class Point(sa.types.TypeDecorator):
    """Takes no text."""

    impl = sa.String(10)
    cache_ok = True

    def process_bind_param(self, value, dialect):
        return f"{value['x']},{value['y']}"

    def process_result_value(self, value, dialect):
        return Place(zip("xy", value.split(","), strict=True))


class Place(dict):
    def __hash__(self):
        return hash((self["x"], self["y"]))


def test_an_id_that_the_key_s_type_does_not_take_back_keeps_no_other_one_waiting(
    database_url, base
):
    class Mark(base):
        __tablename__ = "marks"
        place = mapped_column(Point, primary_key=True)
        name: Mapped[str | None]

    class Other(base):
        __tablename__ = "others"
        id: Mapped[int] = mapped_column(primary_key=True)

    models = {Mark: {}, Other: {}}
    with Unheard(database_url, models, nefertari__capture="session").setup() as app:
        with Session(app.database) as session:
            session.add_all([Mark(place=Place(x="1", y="2")), Other(id=1)])
            session.commit()
        drain(app.engines)
        assert app.documents(Other).keys() == {"1"}
        with app.database.connect() as connection:
            (reason,) = connection.scalars(
                sa.text("SELECT reason FROM nefertari_outbox")
            )
        assert "does not lead back to its key" in reason


class Name(sa.types.TypeDecorator):
    """Nobody but Python knows how it is spelled."""

    impl = sa.String(20)
    cache_ok = True


def test_reading_keys_that_python_spells_changes_nothing_of_the_connection(
    database_url, base
):
    class Item(base):
        __tablename__ = "items"
        name = mapped_column(Name, primary_key=True)
        price: Mapped[int]

    with Unheard(database_url, {Item: {}}, nefertari__capture="session").setup() as app:
        save(app, Item(name="a", price=1), Item(name="b", price=2))
        with app.database.begin() as connection:
            before = connection.get_execution_options()
            connection.execute(sa.update(Item).where(Item.price > 1).values(price=3))
            assert connection.get_execution_options() == before
            # PostgreSQL would refuse to open a cursor for it.
            connection.execute(sa.insert(Item).values(name="c", price=4))
        app.check()


def test_nothing_holds_a_class_whose_application_is_closed(database_url):
    def run():
        mapped = registry()
        key = sa.Column("id", sa.Integer, primary_key=True)
        table = sa.Table("things", mapped.metadata, key)
        thing = type("Thing", (), {})
        mapped.map_imperatively(thing, table)
        with Unheard(database_url, {thing: {}}).setup() as app:
            save(app, thing())
        mapped.dispose()
        return weakref.ref(thing)

    reference = run()
    gc.collect()
    assert reference() is None


def test_rows_that_nothing_tells_of_are_found_before_the_driver_ends_anything(
    database_url, base
):
    class Note(base):
        __tablename__ = "notes"
        id = sa.Column(sa.Integer, sa.Identity())
        text: Mapped[str]
        # The database has no key, and its result tells none.
        __mapper_args__ = {"primary_key": [id]}

    with Unheard(database_url, {Note: {}}, nefertari__capture="session").setup() as app:
        if app.is_sqlite:
            pytest.skip("SQLite numbers keys alone")
        with app.database.connect() as connection:
            connection.execute(sa.insert(Note.__table__).values(text="a"))
            connection.connection.driver_connection.commit()
            connection.execute(sa.select(1))
            connection.commit()
        assert app.owed() == set()
        app.check()
        assert len(app.documents(Note)) == 1
        with app.database.connect() as connection:
            connection.execute(sa.insert(Note.__table__).values(text="b"))
            connection.connection.driver_connection.rollback()
            # Nothing is read of a table that may have gone with the transaction.
            Note.__table__.drop(connection)
            connection.commit()
