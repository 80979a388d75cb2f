"""A row has a document while the condition of its model holds."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from pyramid.exceptions import ConfigurationExecutionError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from nefertari_engine_base import Queryable
from nefertari_engine_base.sync.rebuild import index_all
from tests.application import Application, contents


class Base(DeclarativeBase):
    """The base of all models."""


class Author(Queryable, Base):
    """Embeds all of its articles."""

    __tablename__ = "authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    articles: Mapped[list[Article]] = relationship(
        back_populates="author", order_by="Article.id"
    )


class Article(Queryable, Base):
    """Has a document once it is published."""

    __tablename__ = "articles"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    state: Mapped[str] = mapped_column(default="draft")
    author_id: Mapped[int | None] = mapped_column(sa.ForeignKey("authors.id"))
    author: Mapped[Author | None] = relationship(back_populates="articles")


def published(model):
    """The condition; the document itself does not show what it looks at."""
    return model.state.like("publ%")


def declare(config) -> None:
    """Give the models documents."""
    config.add_secondary(Article, when=published, nested=["author"], exclude=["state"])
    config.add_secondary(Author, nested=["articles"])


@pytest.fixture(params=["inline", "worker"])
def app(request, database_url, elasticsearch_url, index_prefix):
    """An application with an article of each state."""
    app = Application(
        database_url, elasticsearch_url, index_prefix, declare,
        nefertari__sync=request.param,
    ).setup()  # fmt: skip
    app.save(Author(id=1, name="Ann"))
    app.save(
        Article(id=1, title="first", state="published", author_id=1),
        Article(id=2, title="second", author_id=1),
    )
    app.drain()
    yield app
    app.close()


def found(app):
    """The published articles; checks that the index has these and no others."""
    app.drain()
    with app.session() as session:
        rows = {
            str(row.id): dict(app.primary.to_dict(row))
            for row in session.scalars(sa.select(Article).where(published(Article)))
        }
    documents = app.documents(Article)
    assert {id_: contents(document) for id_, document in documents.items()} == rows
    return sorted(rows)


def set_state(app, id_, state, *, by_statement=False):
    with app.session() as session:
        if by_statement:
            chosen = sa.update(Article).where(Article.id == id_)
            session.execute(chosen.values(state=state))
        else:
            session.get(Article, id_).state = state
        session.commit()


@pytest.mark.parametrize("by_statement", [False, True])
def test_a_document_comes_and_goes_with_its_condition(app, by_statement):
    assert found(app) == ["1"]
    set_state(app, 2, "published", by_statement=by_statement)
    assert found(app) == ["1", "2"]
    set_state(app, 1, "draft", by_statement=by_statement)
    assert found(app) == ["2"]


def test_a_change_of_what_it_embeds_brings_no_document_back(app):
    with app.session() as session:
        session.get(Author, 1).name = "Anna"
        session.commit()
    assert found(app) == ["1"]
    assert app.documents(Article)["1"]["author"]["name"] == "Anna"


def test_embedded_rows_are_shown_whatever_their_condition(app):
    found(app)
    assert len(app.documents(Author)["1"]["articles"]) == 2


def test_the_primary_shows_nothing_else_when_it_answers_in_place_of_the_index(app):
    found(app)
    app.secondary.refresh(app.engines.schemas.values())
    app.engines.pause.begin(60)
    assert [article.id for article in Article.get_collection()] == [1]
    assert Article.count() == 1
    assert Article.get_by_ids(["1", "2"])[1] is None
    assert Article.get_item(id=2, _raise_on_empty=False) is None
    assert Article.count(_query_secondary=False) == 2


def test_models_of_hits_are_those_that_still_have_a_document(app):
    found(app)
    app.secondary.refresh(app.engines.schemas.values())
    with app.database.begin() as connection:
        # Behind the back of every session.
        connection.execute(sa.text("UPDATE articles SET state = 'draft'"))
    assert list(Article.get_collection(_hydrate=True)) == []


def test_indexing_everything_removes_what_should_have_no_document(app):
    found(app)
    with app.database.begin() as connection:
        connection.execute(sa.text("UPDATE articles SET state = 'draft' WHERE id = 1"))
        connection.execute(
            sa.text("UPDATE articles SET state = 'published' WHERE id = 2")
        )
    index_all(app.engines, app.engines.schema_of(Article))
    assert found(app) == ["2"]


@pytest.mark.parametrize(
    "when",
    [
        lambda model: None,
        lambda model: model.author.has(name="Ann"),
        lambda model: model.misspelled,
        lambda model: Author.name == "Ann",
    ],
)
def test_a_condition_on_anything_but_own_columns_is_refused(
    database_url, elasticsearch_url, index_prefix, when
):
    with pytest.raises(ConfigurationExecutionError, match="when= of Article"):
        Application(
            database_url, elasticsearch_url, index_prefix,
            lambda config: config.add_secondary(Article, when=when),
        )  # fmt: skip
