"""What computed fields may not read, and what cannot be computed."""

from __future__ import annotations

import mongoengine as me
import orjson
import pytest
from bson import DBRef, ObjectId
from mongoengine.errors import DoesNotExist

from nefertari_engine_base import document_field
from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.primary.mongo.loading import Loader, to_dict
from nefertari_engine_base.refusals import RefusedDocuments, load_apart
from nefertari_engine_base.values import DocumentRef
from tests.mongo.computed import ASKED, described, load, load_one
from tests.mongo.computed_models import Nation


class Trinket(me.EmbeddedDocument):
    name = me.StringField()
    worth = me.IntField()
    maker = me.ReferenceField("Keeper")


class Keeper(me.Document):
    """Has one field for each way to go wrong, by its title."""

    meta = {"allow_inheritance": True}

    title = me.StringField(db_field="t")
    secret = me.StringField()
    friend = me.ReferenceField("self")
    stranger = me.ReferenceField("self")
    friends = me.ListField(me.ReferenceField("self"))
    strangers = me.ListField(me.ReferenceField("self"))
    lazy = me.LazyReferenceField("self")
    far = me.LazyReferenceField("self", passthrough=True)
    trinket = me.EmbeddedDocumentField(Trinket)
    trinkets = me.EmbeddedDocumentListField(Trinket)
    chest = me.MapField(me.EmbeddedDocumentField(Trinket))
    anything = me.DictField()
    any_value = me.DynamicField()

    @document_field(
        depends_on=(
            *("title", "friend.title", "friends.title", "lazy.title", "far"),
            *("trinket.name", "trinkets.name", "chest", "anything", "any_value"),
        )
    )
    def mood(self) -> str:
        return WAYS[self.title][0](self) or "fine"


def swallowed(self):
    try:
        return self.secret
    except Exception:  # noqa: BLE001 - that is the mistake
        return "nothing wrong"


UNNAMED = "mood of Keeper reads {}, which depends_on does not name. Name it"
WAYS = {
    "fine": (lambda self: "fine", ""),
    "raises": (lambda self: 1 / 0, "mood of Keeper raised ZeroDivisionError: division"),
    "field": (lambda self: self.secret, UNNAMED.format("secret")),
    "item": (lambda self: self["secret"], UNNAMED.format("secret")),
    "asked for": (lambda self: hasattr(self, "secret"), UNNAMED.format("secret")),
    "swallowed": (swallowed, UNNAMED.format("secret")),
    "reference": (lambda self: self.stranger, UNNAMED.format("stranger")),
    "list": (lambda self: len(self.strangers), UNNAMED.format("strangers")),
    "friend's": (lambda self: self.friend.secret, UNNAMED.format("friend.secret")),
    "far friend": (
        lambda self: self.friend.friend.title,
        UNNAMED.format("friend.friend"),
    ),
    "friends'": (
        lambda self: [each.secret for each in self.friends],
        UNNAMED.format("friends.secret"),
    ),
    "friends' friends": (
        lambda self: self.friends[0].friends[0].title,
        UNNAMED.format("friends.friends"),
    ),
    "lazy": (lambda self: self.lazy.fetch().secret, UNNAMED.format("lazy.secret")),
    "lazy, by force": (
        lambda self: self.lazy.fetch(force=True).secret,
        UNNAMED.format("lazy.secret"),
    ),
    "only the link": (lambda self: self.far.title, UNNAMED.format("far.title")),
    "embedded": (lambda self: self.trinket.worth, UNNAMED.format("trinket.worth")),
    "embedded reference": (
        lambda self: self.trinket.maker.title,
        UNNAMED.format("trinket.maker"),
    ),
    "embedded list": (
        lambda self: self.trinkets[1].worth,
        UNNAMED.format("trinkets.worth"),
    ),
    "embedded filter": (
        lambda self: self.trinkets.filter(worth=1),
        UNNAMED.format("trinkets.worth"),
    ),
    "comparison": (
        lambda self: str(self.trinkets[0] == self.trinkets[1]),
        UNNAMED.format("trinkets.worth"),
    ),
    "map": (
        lambda self: self.chest["a"].maker.title,
        UNNAMED.format("chest.maker"),
    ),
    "all": (lambda self: str(self.to_mongo()), UNNAMED.format("secret")),
    "number": (lambda self: 7, "mood of Keeper is 7; expected a string"),
}

GONE = {
    "gone": lambda self: self.friend.title,
    "gone of a list": lambda self: self.friends[0].title,
    "gone lazily": lambda self: self.lazy.fetch().title,
    "loose": lambda self: self.anything["x"].title,
    "dynamic": lambda self: self.any_value.title,
}
WAYS |= {title: (way, "") for title, way in GONE.items()}


@pytest.fixture
def keepers(mongodb):
    """A keeper for each way, by its title, with all that may be looked at."""
    friend = Keeper(title="fine", secret="s")
    friend.save()
    Keeper.objects(pk=friend.pk).update(friend=friend, friends=[friend])
    trinkets = [Trinket(name="a", worth=1, maker=friend), Trinket(name="a", worth=2)]
    found = {"fine": friend}
    for title in WAYS:
        if title != "fine" and title not in GONE:
            one = found[title] = Keeper(title=title, trinkets=trinkets, secret="s")
            one.friend = one.stranger = one.lazy = one.far = friend
            one.friends = one.strangers = [friend, friend]
            one.trinket, one.chest = trinkets[0], {"a": trinkets[0]}
            one.save()
    return found


@pytest.mark.parametrize("title", [title for title, (_, why) in WAYS.items() if why])
def test_a_field_that_cannot_be_computed_says_which_and_why(keepers, title):
    id_ = str(keepers[title].pk)
    with pytest.raises(RefusedDocuments) as refused:
        load(described(Keeper), id_)
    assert str(refused.value).startswith(f"Keeper {id_}: {WAYS[title][1]}")
    assert refused.value.reasons == {id_: str(refused.value)}


def test_what_is_named_is_read_of_everything(keepers, asked_of_keepers, monkeypatch):
    def read(self):
        assert type(self) is Keeper
        assert isinstance(self.friend, Keeper)
        assert self.far.pk == self.friend.pk == self.friend.id
        assert self.friends == [self.friend, self.friend]
        assert len(self.trinkets.filter(name="a")) == 2
        assert self.chest["a"].worth == 1
        names = [self.friend, *self.friends, self.lazy.fetch()]
        return " ".join([each.title for each in names] + [self.trinket.name])

    monkeypatch.setitem(WAYS, "reads", (read, ""))
    one = Keeper.objects.get(title="raises")
    one.title = "reads"
    one.save()
    asked_of_keepers.clear()
    document = load_one(described(Keeper), one)
    assert document["mood"] == "fine fine fine fine a"
    assert len(asked_of_keepers) == 5  # itself, and four relations


@pytest.fixture
def asked_of_keepers(keepers):
    ASKED.finds.clear()
    return ASKED.finds


def test_its_neighbours_are_loaded_by_the_same_queries(keepers, asked_of_keepers):
    loader = Loader(described(Keeper))
    refs = [DocumentRef("Keeper", str(one.pk)) for one in keepers.values()]
    documents, errors = load_apart(lambda model, ids: loader.load(ids), refs)
    assert len(asked_of_keepers) == 5
    assert documents["Keeper"].keys() == {str(keepers["fine"].pk)}
    assert [*errors] == refs[1:]


def test_an_owner_of_what_cannot_be_computed_is_refused_alone(keepers):
    class Owner(me.Document):
        keeper = me.ReferenceField(Keeper)

    names = ("fine", "raises", None)
    owners = [Owner(keeper=keepers.get(name)).save() for name in names]
    ids = [str(one.pk) for one in owners]
    with pytest.raises(RefusedDocuments) as refused:
        load(described(Owner, nested=("keeper",)), *ids)
    assert refused.value.documents.keys() == {ids[0], ids[2]}
    id_ = keepers["raises"].pk
    assert f"Keeper {id_}: mood of Keeper raised" in refused.value.reasons[ids[1]]
    with pytest.raises(ConversionError, match="mood of Keeper raised Zero"):
        to_dict(described(Owner, nested=("keeper",)), owners[1])


def test_an_embedded_document_that_cannot_be_computed_names_its_owner(mongodb):
    class Bauble(me.EmbeddedDocument):
        worth = me.IntField()
        owner = me.ReferenceField(Nation)

        @document_field(depends_on=("worth",))
        def ratio(self) -> int:
            return 6 // self.worth if self.worth else len(self.owner.name)

    class Box(me.EmbeddedDocument):
        baubles = me.EmbeddedDocumentListField(Bauble)

    class Attic(me.Document):
        boxes = me.EmbeddedDocumentListField(Box)

    nation = Nation(code="uk", name="UK").save()
    good, bad = (
        Attic(
            boxes=[
                Box(baubles=[Bauble(worth=n, owner=nation) for n in worths])
                for worths in ([1], [], [2, last])
            ]
        ).save()
        for last in (3, 0)
    )
    with pytest.raises(RefusedDocuments) as refused:
        load(described(Attic), good.pk, bad.pk)
    (document,) = map(orjson.loads, refused.value.documents.values())
    ratios = [[one["ratio"] for one in box["baubles"]] for box in document["boxes"]]
    assert ratios == [[6], [], [3, 2]]
    assert refused.value.reasons[str(bad.pk)].startswith(
        f"Bauble in Attic {bad.pk}: ratio of Bauble reads owner, which depends_on"
    )


def test_an_instance_that_cannot_be_computed_is_an_error_of_the_family(keepers):
    with pytest.raises(ConversionError, match="mood of Keeper raised Zero"):
        to_dict(described(Keeper), Keeper.objects.get(title="raises"))
    with pytest.raises(ConversionError, match=r"Keeper \(new\): mood of Keeper is 7"):
        to_dict(described(Keeper), Keeper(title="number"))


# --- what is not there, or not what it should be -----------------------------------


@pytest.mark.parametrize(
    ("title", "values", "reason"),
    [
        ("gone", {"friend": ObjectId()}, "raised DoesNotExist: Trying to dereference"),
        ("gone lazily", {"lazy": ObjectId()}, "raised DoesNotExist"),
        ("gone of a list", {"friends": [ObjectId()]}, "raised AttributeError"),
        (
            "loose",
            {"anything": {"x": DBRef("keeper", 1)}},
            "anything holds a reference",
        ),
        (
            "dynamic",
            {"any_value": {"_cls": "Keeper", "_ref": DBRef("keeper", 1)}},
            "any_value holds a reference",
        ),
        ("gone of a list", {"friends": "text"}, "Keeper.friends: 'text' cannot be"),
        ("gone", {"friend": {"no": "key"}}, "unhashable"),
        ("embedded", {"trinket": "text"}, "'text' is no document"),
        ("embedded list", {"trinkets": [{}, "text"]}, "'text' is no document"),
        ("fine", {"_cls": "Keeper.Unknown"}, "an instance of Keeper cannot be made"),
    ],
)
def test_what_the_server_holds_may_be_no_good(mongodb, title, values, reason):
    bad, good = ObjectId(), ObjectId()
    fine = {"_id": good, "_cls": "Keeper", "t": "fine"}
    mongodb.keeper.insert_many(
        [{"_cls": "Keeper", "_id": bad, "t": title, **values}, fine]
    )
    shown = (*("friend", "friends", "anything", "any_value", "trinket", "trinkets"),)
    loader = Loader(described(Keeper, exclude=shown))
    if "_cls" in values:
        Keeper._subclasses = (*Keeper._subclasses, values["_cls"])
    try:
        with pytest.raises(RefusedDocuments) as refused:
            loader.load([str(bad), str(good)])
    finally:
        Keeper._subclasses = Keeper._subclasses[:1]
    assert refused.value.documents.keys() == {str(good)}
    assert reason in refused.value.reasons[str(bad)]


def test_a_reference_that_is_gone_is_what_it_is_to_mongoengine(mongodb):
    class Mourner(me.Document):
        friend = me.ReferenceField(Nation)
        friends = me.ListField(me.ReferenceField(Nation))

        @document_field(depends_on=("friend.name", "friends.name"))
        def text(self) -> str:
            there = [each.name for each in self.friends if not isinstance(each, DBRef)]
            try:
                return f"{self.friend.name} {there}"
            except DoesNotExist:
                return f"gone {there}"

    uk = Nation(code="uk", name="UK").save()
    gone = DBRef("nation", "xx")
    one = Mourner(friend=gone, friends=[uk, gone]).save()
    assert load_one(described(Mourner), one)["text"] == "gone ['UK']"
    assert Mourner.objects.get().text == "gone ['UK']"


def test_a_document_that_cannot_be_read_concerns_those_that_read_it(mongodb):
    class Strict(me.StringField):
        def to_python(self, value):
            if value == "later":
                raise ValueError(f"{value} is no date")
            return value

    class Dated(me.Document):
        at = Strict()
        name = me.StringField()

    class Reader(me.Document):
        dated = me.ReferenceField(Dated)

        @document_field(depends_on=("dated.at", "dated.name"))
        def text(self) -> str:
            return str(self.dated.at)

    good, bad = ObjectId(), ObjectId()
    mongodb.dated.insert_many([{"_id": good, "at": "now"}, {"_id": bad, "at": "later"}])
    readers = [Reader(dated=DBRef("dated", id_)).save() for id_ in (good, bad)]
    with pytest.raises(RefusedDocuments) as refused:
        load(described(Reader), *(one.pk for one in readers))
    assert refused.value.documents.keys() == {str(readers[0].pk)}
    assert "an instance of Dated cannot be made" in str(refused.value)
