"""The generated models and what a script or a shell does with them."""

from __future__ import annotations

import datetime
from decimal import Decimal

import pytest
import transaction
from nefertari import engine
from nefertari.json_httpexceptions import (
    JHTTPBadRequest,
    JHTTPConflict,
    JHTTPNotFound,
)

pytestmark = pytest.mark.usefixtures("empty")

EXPORTED = {
    *("BigIntegerField", "BinaryField", "BooleanField", "ChoiceField", "DateField"),
    *("DateTimeField", "DecimalField", "DictField", "FloatField", "ForeignKeyField"),
    *("IdField", "IntegerField", "IntervalField", "ListField", "PickleField"),
    *("SmallIntegerField", "StringField", "TextField", "TimeField", "UnicodeField"),
    *("UnicodeTextField", "Relationship", "BaseDocument", "ESBaseDocument"),
    *("BaseMixin", "ESMetaclass", "ESJSONSerializer", "JSONEncoder"),
    *("get_document_cls", "get_document_classes", "is_relationship_field"),
    *("get_relationship_cls", "relationship_fields", "setup_database"),
}


@pytest.fixture
def user():
    return engine.get_document_cls("User")


@pytest.fixture
def article():
    return engine.get_document_cls("Article")


def saved(article, **fields):
    made = article(**{"title": "t", "text": "t", **fields}).save()
    id_ = made.id
    transaction.commit()
    return id_


def test_the_engine_has_every_name_of_the_contract(wsgi):
    assert {name for name in EXPORTED if not hasattr(engine, name)} == set()


def test_an_unknown_model_is_a_value_error(wsgi):
    with pytest.raises(ValueError, match="Nonsense"):
        engine.get_document_cls("Nonsense")
    assert engine.get_document_classes().keys() >= {"User", "Article", "Profile"}


def test_relations_are_told_from_other_fields(article, user):
    assert engine.is_relationship_field("author", article)
    assert engine.is_relationship_field("articles", user)
    assert not engine.is_relationship_field("author_id", article)
    assert not engine.is_relationship_field("nonsense", article)
    assert engine.get_relationship_cls("author", article) is user


def test_fields_know_what_they_were_made_from(article, user):
    assert user.get_field_params("password")["min_length"] == 3
    assert user.get_field_params("articles")["document"] == "Article"
    assert article.get_field_params("nonsense") is None
    assert (user.pk_field(), article.pk_field()) == ("username", "id")
    values = user.get_null_values()
    assert (values["articles"], values["profile"], values["email"]) == ([], None, None)


def test_text_becomes_the_value_of_its_field_at_once(article):
    made = article(due_at="2026-02-18T12:30:00Z", price="1.5", embargo=60)
    assert made.due_at == datetime.datetime(2026, 2, 18, 12, 30)  # noqa: DTZ001
    assert (made.price, made.embargo) == (Decimal("1.5"), datetime.timedelta(0, 60))
    with pytest.raises(ValueError, match="progress"):
        article(progress=2)


def test_what_a_script_writes_is_indexed(article, engines):
    id_ = saved(article, tags=["a"], price=Decimal("2.50"))
    if engines.secondary is not None:
        document = article.secondary.get_item(id=id_)
        assert (document.tags, document.price) == (["a"], Decimal("2.50"))
        assert document._public_fields == article._public_fields
    article.get_item(id=id_).delete()
    transaction.commit()
    if engines.secondary is not None:
        assert article.secondary.get_by_ids([id_]) == [None]


def test_the_user_of_the_system_is_indexed_like_any_other(user, engines):
    assert user.get_item(username="system").groups == ["admin"]
    if engines.secondary is not None:
        assert user.secondary.get_item(username="system").groups == ["admin"]


def test_models_are_read_from_the_primary_and_on_demand_from_the_secondary(
    article, engines
):
    made = article(title="fresh", text="t").save()
    id_ = made.id
    assert article.get_item(id=id_) == made
    assert list(article.get_collection(title="fresh")) == [made]
    if "sqla" in engines.primaries:
        # Without a secondary the primary answers, and sees no more than an index would.
        assert article.get_collection(title="fresh", _query_secondary=True) == []
    transaction.commit()
    if engines.secondary is not None:
        engines.secondary.refresh(engines.schemas.values())
    (shown,) = article.get_collection(title="fresh", _query_secondary=True)
    assert str(shown.id) == str(id_)


def test_collections_are_read_by_the_parameters_of_nefertari(article):
    for number in range(4):
        saved(article, title=f"t{number}", words=number, tags=[f"x{number}", "all"])
    found = article.get_collection(_sort="-words", _limit=2, _page=1)
    assert [row.words for row in found] == [1, 0]
    assert found._nefertari_meta == {"total": 4, "start": 2, "fields": []}
    assert article.get_collection(words__in="1,2", _count=True) == 2
    assert [row.words for row in article.get_collection(tags="x3")] == [3]
    assert article.get_collection(tags="all", _count="") == 4
    assert "article" in str(article.get_collection(_explain=True))
    rows = article.get_collection(_fields="title", _sort="words", _limit=1)
    assert rows[0].keys() == {"title", "_type", "_pk"}
    assert article.get_collection(nonsense=1, _strict=False).count() == 4
    with pytest.raises(JHTTPBadRequest):
        article.get_collection(nonsense=1)
    with pytest.raises(JHTTPNotFound):
        article.get_collection(title="x", _raise_on_empty=True)


def test_an_item_is_found_or_is_not(article):
    id_ = saved(article)
    assert article.get_item(id=str(id_)).title == "t"
    for wrong in (0, "nonsense"):
        assert article.get_item(id=wrong, _raise_on_empty=False) is None
    for wrong in (0, "nonsense"):
        with pytest.raises(JHTTPNotFound):
            article.get_item(id=wrong, __raise=True)
    assert [row.id for row in article.get_by_ids([id_, 0])] == [id_]


def test_objects_are_filtered_by_the_primary(article, engines):
    from nefertari.elasticsearch import ES

    ids = [saved(article, words=number) for number in range(3)]
    if engines.secondary is not None:
        engines.secondary.refresh(engines.schemas.values())
    shown = ES("Article").get_collection(_sort="id")
    assert [row.id for row in article.filter_objects(shown)] == ids
    assert [row.id for row in article.filter_objects(shown, words=1)] == [ids[1]]
    assert article.filter_objects(shown, first=True, words=2).id == ids[2]
    with pytest.raises(JHTTPNotFound):
        article.filter_objects(shown, first=True, words=9)


def test_what_is_there_is_not_made_again(user):
    defaults = {"password": "secret", "username": "rick"}
    made, created = user.get_or_create(email="r@x.com", defaults=defaults)
    assert created
    assert user.get_or_create(email="r@x.com") == (made, False)
    with pytest.raises(JHTTPConflict):
        user(username="rick", email="x@x.com", password="secret").save()
    transaction.abort()


def test_related_objects_are_told_with_their_models(article, user):
    made = article(title="t", text="t", author=user.get_item(username="system")).save()
    system = user.get_item(username="system")
    assert (user, [system]) in list(made.get_related_documents())
    assert list(made.get_related_documents(nested_only=True)) == []
    assert made.to_dict()["author"] == "system"
    assert made._type == "Article"
    assert "Article" in article.get_es_mapping()
    transaction.abort()
