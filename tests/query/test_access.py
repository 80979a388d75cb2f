"""Reads by somebody who sees only what access control lists let him see."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from nefertari_engine_base import Queryable
from nefertari_engine_base.exceptions import (
    ConfigurationError,
    InvalidParameter,
    QueryError,
)
from nefertari_engine_base.primary.sqla.access import AccessList
from nefertari_engine_base.query import dispatcher
from nefertari_engine_base.testing.secondary_access import (
    access_of,
    accesses,
    random_lists,
    verdict,
)
from nefertari_engine_base.values import Filter, Operator
from nefertari_engine_base.values.access import Entry
from tests.application import Application
from tests.conftest import empty_database


class Base(DeclarativeBase):
    pass


class Folder(Base):
    __tablename__ = "folders"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    acl = mapped_column(AccessList())
    memos: Mapped[list[Memo]] = relationship(back_populates="folder")


class Memo(Queryable, Base):
    __tablename__ = "memos"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    acl = mapped_column(AccessList())
    folder_id: Mapped[int | None] = mapped_column(sa.ForeignKey("folders.id"))
    folder: Mapped[Folder | None] = relationship(back_populates="memos")


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)


LISTS = random_lists(120)
MINE = [Entry("allow", "ada", "all").as_dict()]
OURS = [Entry("allow", "bob", "view").as_dict(), *MINE]


def declare(config):
    config.add_secondary(Folder, nested=("memos",))
    config.add_secondary(Memo, nested=("folder",))
    config.add_secondary(Note)


@pytest.fixture(
    scope="module",
    params=[("sqlite", "elasticsearch"), ("postgresql", "opensearch")],
    ids=lambda pair: "-".join(pair),
)
def app(request, server_of, tmp_path_factory):
    """The same memos on each database with one of the search servers."""
    database, search = request.param
    with empty_database(database, server_of, tmp_path_factory) as url:
        app = Application(url, server_of(search).url, f"access-{database}", declare)
        with app.database.begin() as connection:
            Base.metadata.create_all(connection)
        app.setup()
        secret, shared = Folder(id=1, name="secret"), Folder(id=2, name="shared")
        secret.acl, shared.acl = MINE, OURS
        app.save(
            secret,
            shared,
            *(Memo(id=n, title=f"m{n}", acl=acl) for n, acl in enumerate(LISTS, 1)),
            Memo(id=1001, title="in secret", acl=OURS, folder_id=1),
            Memo(id=1002, title="in shared", acl=OURS, folder_id=2),
            Memo(id=1003, title="hidden", acl=MINE, folder_id=2),
            Memo(id=1004, title="nobody's", acl=None),
        )
        app.secondary.refresh(app.engines.schemas.values())
        yield app
        app.close()


@pytest.fixture(params=[True, False], ids=["secondary", "primary"])
def ask(app, request):
    """Function that asks one of the engines."""

    def get(model, who, **parameters):
        parameters.setdefault("_limit", None)
        parameters["_query_secondary"] = request.param
        return dispatcher.get_collection(
            app.engines, model, parameters, access=access_of(who)
        )

    return get


@pytest.mark.parametrize("secondary", [True, False], ids=["secondary", "primary"])
def test_each_engine_finds_what_pyramid_permits(app, secondary):
    for access in accesses(25):
        parameters = {"_limit": None, "id__lte": 1000, "_query_secondary": secondary}
        page = dispatcher.get_collection(app.engines, Memo, parameters, access=access)
        expected = [n for n, acl in enumerate(LISTS, 1) if verdict(acl, access)]
        assert [memo.id for memo in page] == expected
        assert page.total == len(expected)
        number = dispatcher.get_collection(
            app.engines, Memo, {**parameters, "_count": True}, access=access
        )
        assert number == len(expected)


def test_a_document_is_what_its_row_is_with_its_list(app):
    for memo in Memo.get_collection(_limit=None):
        row = Memo.get_item(id=memo.id, _query_secondary=False)
        assert memo.acl == row.acl


def test_the_primary_answers_alike_while_the_server_cannot_be_reached(app):
    app.engines.pause.begin(60)
    try:
        page = dispatcher.get_collection(
            app.engines, Memo, {"id__gt": 1000}, access=access_of("bob")
        )
        assert [memo.id for memo in page] == [1001, 1002]
    finally:
        app.engines.pause.end()


def test_hydrated_instances_are_those_that_may_be_seen(app):
    page = dispatcher.get_collection(
        app.engines, Memo, {"id__gt": 1000, "_hydrate": True}, access=access_of("bob")
    )
    assert [type(memo) for memo in page] == [Memo, Memo]


def test_what_is_asked_of_an_embedded_row_is_asked_of_those_that_may_be_seen(ask):
    assert [m.id for m in ask(Memo, "bob", **{"folder.name": "shared"})] == [1002]
    assert not ask(Memo, "bob", **{"folder.name": "secret"})
    assert not ask(Memo, "bob", **{"folder.id__in": "1"})
    assert not ask(Memo, "bob", **{"folder.name__gt": "sa", "folder.id__lt": 2})
    seen = ask(Memo, "bob", **{"folder.name__exists": "true"})
    assert [memo.id for memo in seen] == [1002]
    both = {"id__gt": 1000, "folder.name__exists": "true"}
    assert [m.id for m in ask(Memo, "ada", **both)] == [1001, 1002, 1003]


def test_what_is_asked_of_embedded_lists_is_asked_of_one_that_may_be_seen(ask):
    assert [f.id for f in ask(Folder, "bob", **{"memos.title": "in shared"})] == [2]
    assert not ask(Folder, "bob", **{"memos.title": "hidden"})
    assert [f.id for f in ask(Folder, "ada", **{"memos.title": "hidden"})] == [2]


@pytest.mark.parametrize(
    "parameters",
    [
        {"_sort": "folder.name"},
        {"_sort": "-folder.id"},
        {"folder.name__exists": "false"},
        {"folder.name": None},
        {"folder.name__all": "secret"},
        {"acl": "x"},
        {"acl__gt": "x"},
        {"_sort": "acl"},
        {"access": "x"},
        {"acl.principal": "ada"},
    ],
    ids=str,
)
def test_what_would_tell_of_hidden_rows_is_refused(ask, parameters):
    with pytest.raises(InvalidParameter):
        ask(Memo, "ada", **parameters)


def test_words_tell_nothing_of_hidden_rows(app):
    def found(who, text, **more):
        page = dispatcher.get_collection(
            app.engines, Memo, {"q": text, **more}, access=access_of(who)
        )
        return sorted(memo.id for memo in page)

    assert found("bob", "shared OR secret") == [1001, 1002]
    assert found("bob", "hidden") == []
    assert found("bob", "folder.name:secret") == []
    assert found("bob", "_exists_:folder.name") == []
    assert found("bob", "acl.principal:ada") == found("bob", "_exists_:acl") == []
    assert found("bob", "acl.\\*:ada OR folder.\\*:secret") == []
    everything = found("bob", "*:* OR title:hidden", id__gt=1000)
    assert everything == [1001, 1002]
    with pytest.raises(QueryError):
        found("bob", ") OR (title:hidden")


def test_rows_without_lists_are_shown_to_nobody_who_is_asked_for(app):
    with pytest.raises(ConfigurationError, match="no access control list"):
        dispatcher.get_collection(app.engines, Note, {}, access=access_of("ada"))


def test_filters_of_the_caller_are_added_to_the_parameters(ask, app):
    page = dispatcher.get_collection(
        app.engines, Memo, {"title": "hidden"}, filters=[holds(MINE[0])]
    )
    assert [memo.id for memo in page] == [1003]
    for secondary in (True, False):
        page = dispatcher.get_collection(
            app.engines,
            Memo,
            {"id__gt": 1000, "_query_secondary": secondary},
            filters=[holds(MINE[0])],
        )
        assert [memo.id for memo in page] == [1001, 1002, 1003]


def holds(entry):
    return Filter("acl", Operator.EQ, Entry(**entry))


@pytest.mark.parametrize(
    "acl",
    [
        "allow",
        [1],
        [{}],
        [{**MINE[0], "unless": []}],
        [{**MINE[0], "action": "permit"}],
        [{**MINE[0], "principal": 5}],
        [{**MINE[0], "principal": ""}],
        [{**MINE[0], "principal": "a\0"}],
        [{**MINE[0], "principal": "\ud800"}],
        [{**MINE[0], "principal": "a" * 5000}],
    ],
    ids=lambda acl: str(acl)[:60].encode("unicode_escape").decode(),
)
def test_what_is_no_list_is_not_stored(app, acl):
    with pytest.raises(sa.exc.StatementError):
        app.save(Memo(id=5000, title="x", acl=acl))
