"""What an application declares, and what is refused while it starts."""

import pickle

import pytest
import sqlalchemy as sa
from elasticsearch.dsl import Keyword, Text
from pyramid.config import Configurator
from pyramid.exceptions import (
    ConfigurationConflictError,
    ConfigurationExecutionError,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from nefertari_engine_base import Queryable, engines_of, secondary_of
from nefertari_engine_base.exceptions import (
    ConfigurationError,
    EngineError,
    PrimaryError,
    SecondaryOwnedError,
    UnknownModel,
    UnmappableField,
)
from nefertari_engine_base.primary.sqla import SQLAlchemyEngine
from tests.sync import models

SETTINGS = {
    "nefertari.engine": "nefertari_engine_base.primary.sqla nefertari_es",
    "sqlalchemy.url": "sqlite://",
    "elasticsearch.hosts": "http://127.0.0.1:1",
}


@pytest.fixture
def configure():
    """Function that configures an application; it is closed at the end."""
    made = []

    def make(declare=models.declare, **settings):
        config = Configurator(settings={**SETTINGS, **settings})
        config.include("nefertari_engine_base")
        declare(config)
        made.append(config)
        config.commit()
        return engines_of(config.registry)

    yield make
    for config in made:
        engines = engines_of(config.registry)
        engines.close()
        for primary in engines.primaries.values():
            primary.engine.dispose()


def new_base():
    class Base(DeclarativeBase):
        pass

    return Base


def test_starting_opens_no_connection(configure):
    engines = configure()
    assert set(engines.schemas) == {"Movie", "Director", "Seat"}


def test_a_generated_class_has_one_base_and_says_where_it_comes_from(configure):
    engines = configure()
    document = models.Movie.secondary
    assert document.__bases__ == (engines.secondary.document_base(),)
    assert document.__name__ == "Movie"
    assert document.__qualname__ == "Movie.secondary"
    assert document.__module__ == models.__name__
    assert "Movie" in document.__doc__
    assert document.primary is models.Movie
    assert pickle.loads(pickle.dumps(document)) is document


def test_behaviour_of_mixins_and_bases_is_inherited_and_the_nearest_wins(configure):
    class Shouting:
        loud = "yes"

        def shout(self):
            return self.name.upper()

    class Base(DeclarativeBase):
        def describe(self):
            return "base"

    class Person(Shouting, Base):
        __tablename__ = "people"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        kind = "person"

        def describe(self):
            return f"person {self.name}"

        @classmethod
        def table(cls):
            return cls.kind

        @staticmethod
        def twice(number):
            return 2 * number

    configure(lambda config: config.add_secondary(Person))
    document = Person.secondary(name="Ripley", id=1)
    assert document.shout() == "RIPLEY"
    assert document.describe() == "person Ripley"
    assert (document.loud, document.kind) == ("yes", "person")
    assert Person.secondary.table() == "person"
    assert document.twice(2) == 4
    assert not hasattr(document, "metadata")


def test_mapped_attributes_called_secondary_and_primary_stay_mapped(configure):
    class Rank(new_base()):
        __tablename__ = "ranks"
        id: Mapped[int] = mapped_column(primary_key=True)
        primary: Mapped[str]
        secondary: Mapped[str]

    engines = configure(lambda config: config.add_secondary(Rank))
    document = secondary_of(Rank)
    properties = document._doc_type.mapping.to_dict()["properties"]
    assert {"primary", "secondary"} <= properties.keys()
    assert isinstance(Rank.secondary, sa.orm.InstrumentedAttribute)
    assert engines.schema_of(document).model is Rank


def test_documents_refuse_to_write_themselves(configure):
    configure()
    document = models.Movie.secondary(id=1, title="Alien")
    for write in (document.save, document.update, document.delete):
        with pytest.raises(SecondaryOwnedError, match="save the Movie itself"):
            write()


def test_the_decorator_is_found_by_a_scan_and_means_no_subclass(configure):
    import tests.base.scanned as scanned

    engines = configure(lambda config: config.scan(scanned))
    assert set(engines.schemas) == {"Book"}
    assert engines.schemas["Book"].fields.keys() == {"id", "title", "kind"}


def test_a_field_may_be_declared_in_the_secondarys_own_words(configure):
    title = Text(fields={"exact": Keyword()})
    configure(
        lambda config: config.add_secondary(models.Movie, fields={"title": title})
    )
    mapping = models.Movie.secondary._doc_type.mapping.to_dict()
    assert mapping["properties"]["title"]["fields"] == {"exact": {"type": "keyword"}}


def test_two_declarations_for_one_model_are_a_conflict(configure):
    def twice(config):
        config.add_secondary(models.Movie)
        config.add_secondary(models.Movie, exclude=("notes",))

    with pytest.raises(ConfigurationConflictError):
        configure(twice)


def test_an_unmappable_type_is_an_error_at_start_up_that_names_model_and_field(
    configure,
):
    class Pickled(new_base()):
        __tablename__ = "pickled"
        id: Mapped[int] = mapped_column(primary_key=True)
        payload = mapped_column(sa.PickleType)

    with pytest.raises(ConfigurationExecutionError) as caught:
        configure(lambda config: config.add_secondary(Pickled))
    assert caught.value.etype is UnmappableField
    assert "Pickled.payload is of type PickleType" in str(caught.value)
    engines = configure(
        lambda config: config.add_secondary(Pickled, exclude=["payload"])
    )
    assert "payload" not in engines.schemas["Pickled"].fields


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"exclude": ("titel",)}, "title"),
        ({"exclude": ("id",)}, "id"),
        ({"nested": ("direktor",)}, "director"),
        ({"nested": ("director.contry",)}, "country"),
        ({"fields": {"titel": Keyword()}}, "title"),
    ],
)
def test_options_that_do_not_fit_the_model_are_refused_with_a_hint(
    configure, options, says
):
    with pytest.raises(ConfigurationExecutionError, match=says):
        configure(lambda config: config.add_secondary(models.Movie, **options))


def test_two_models_of_one_name_are_refused_naming_both(configure):
    def model(table):
        class Twin(new_base()):
            __tablename__ = table
            id: Mapped[int] = mapped_column(primary_key=True)

        return Twin

    def both(config):
        config.add_secondary(model("one"))
        config.add_secondary(model("two"))

    with pytest.raises(ConfigurationExecutionError, match="Two models are called Twin"):
        configure(both)


def test_a_class_that_no_primary_stores_is_refused(configure):
    with pytest.raises(ConfigurationExecutionError, match="No primary engine stores"):
        configure(lambda config: config.add_secondary(type("Nothing", (), {})))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("nefertari.sync", "sometimes"),
        ("nefertari.sync.batch_size", "0"),
        ("nefertari.sync.batch_size", "many"),
        ("elasticsearch.request_timeout", "-1"),
        ("sqlalchemy.url", "mysql+pymysql://nobody@nowhere/x"),
    ],
)
def test_a_bad_setting_is_refused(configure, key, value):
    with pytest.raises((ConfigurationError, ImportError)):
        configure(**{key: value})


def test_a_missing_database_url_says_what_to_set():
    config = Configurator(
        settings={"nefertari.engine": "nefertari_engine_base.primary.sqla"}
    )
    with pytest.raises(ConfigurationError, match=r"sqlalchemy\.url is not set"):
        config.include("nefertari_engine_base")


@pytest.mark.parametrize(
    "module",
    [
        "nefertari_engine_base",
        "nefertari_engine_base.primary.sqla",
        "nefertari_es",
    ],
)
def test_an_engine_that_is_included_again_leaves_the_application_as_it_is(
    configure, module
):
    engines = configure()
    primaries, secondary = dict(engines.primaries), engines.secondary
    again = Configurator(registry=engines.registry)
    again.include(module)
    again.commit()
    assert engines_of(engines.registry) is engines
    assert (engines.primaries, engines.secondary) == (primaries, secondary)
    assert engines.schema_of("Movie").model is models.Movie


def test_mongodb_is_not_connected_again_either(mongodb_url):
    url = f"{mongodb_url}_again"
    settings = {"nefertari.engine": "nefertari_engine_base.primary.mongo"}
    config = Configurator(settings={**settings, "mongodb.url": url})
    config.include("nefertari_engine_base")
    config.commit()
    engines = engines_of(config.registry)
    (primary,) = engines.primaries.values()
    again = Configurator(registry=config.registry)
    again.include("nefertari_engine_base.primary.mongo")
    again.commit()
    assert list(engines.primaries.values()) == [primary]
    engines.close()


def test_a_model_without_an_application_says_so():
    class Lonely(Queryable):
        pass

    with pytest.raises(UnknownModel, match="belongs to no configured application"):
        Lonely.get_collection()


def test_saving_without_the_outbox_table_says_what_to_call(configure):
    engines = configure()
    (primary,) = engines.primaries.values()
    models.Base.metadata.create_all(primary.engine)
    with Session(primary.engine) as session:
        session.add(models.Movie(id=1, title="Alien"))
        with pytest.raises(PrimaryError, match="setup_database"):
            session.commit()


def test_an_engine_that_commits_each_statement_is_refused():
    engine = sa.create_engine("sqlite://", isolation_level="AUTOCOMMIT")
    with pytest.raises(ConfigurationError, match="AUTOCOMMIT"):
        SQLAlchemyEngine(engine).outboxes()
    engine.dispose()


def test_every_error_of_the_family_has_one_root():
    from nefertari_engine_base import exceptions

    for value in vars(exceptions).values():
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, EngineError)


def test_an_embedded_relation_declared_by_the_related_model_hides_what_it_excludes(
    configure,
):
    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str]
        password: Mapped[str]

    class Story(Base):
        __tablename__ = "stories"
        id: Mapped[int] = mapped_column(primary_key=True)
        owner_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
        owner: Mapped[User] = relationship()

    def declare(config):
        config.add_secondary(Story, nested=("owner",))
        config.add_secondary(User, exclude=("password",))

    engines = configure(declare)
    owner = engines.schemas["Story"].relations["owner"].document
    assert owner.fields.keys() == {"id", "name"}
