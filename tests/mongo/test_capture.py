"""Every write of MongoEngine reaches the index, and only what was written does."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor

import mongoengine as me
import pytest
from bson import ObjectId
from mongoengine.context_managers import switch_collection, switch_db
from pymongo import UpdateMany
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect
from pymongo.results import UpdateResult

from nefertari_engine_base.primary.mongo import selecting
from nefertari_engine_base.primary.mongo.collections import WRITER_LEASE
from nefertari_engine_base.sync import suspended
from tests.mongo.films import (
    Critique,
    Filmmaker,
    Films,
    Human,
    Land,
    Picture,
    Prize,
    Ticket,
)

SEED = os.environ.get("NEFERTARI_TEST_SEED") or os.urandom(4).hex()


@pytest.fixture
def film(films):
    """A film with all that it embeds, in the index; its events are forgotten."""
    uk = Land(code="uk", name="UK").save()
    scott = Filmmaker(name="Scott", country=uk, style="dark").save()
    weaver = Human(name="Weaver").save()
    awards = [Prize(title="BAFTA", given_by=uk)]
    film = Picture(title="Alien", year=1979, code="a", director=scott, cast=[weaver])
    film.awards = awards
    film.save()
    Critique(stars=5, film=film).save()
    films.assert_index_equals_collections()
    films.events()
    return film


# --- what documents do -------------------------------------------------------


def test_a_saved_document_is_announced_with_its_instance_and_indexed(films):
    film = Picture(title="Alien", year=1979).save()
    assert films.events() == [("DocumentCreated", "Picture", 1, film)]
    assert films.entries() == [("Picture", "")]
    films.assert_index_equals_collections()
    assert films.index(Picture)[str(film.pk)]["title"] == "Alien"


def test_an_event_of_a_new_document_shows_it_with_its_key(films):
    seen = []
    films.listener = lambda event: seen.append((event.instance.pk, event.to_dict()))
    film = Picture(title="Alien").save()
    ((pk, shown),) = seen
    assert pk == film.pk
    assert shown["id"] == str(film.pk)
    assert shown["title"] == "Alien"


def test_a_change_is_announced_with_the_fields_that_changed(films, film):
    film.title = "Aliens"
    film.year = 1986
    film.save()
    (event,) = films.heard
    assert event.change.fields == {"title", "year"}
    assert event.instance is film
    films.assert_index_equals_collections()


def test_a_change_of_what_no_document_shows_makes_no_entry(films, film):
    film.notes = "none of your business"
    film.save()
    Picture.objects.update(set__notes="nor this")
    film.director.notes = "nor this"
    film.director.save()
    assert films.entries() == []


def test_a_document_that_is_saved_without_a_change_is_not_written(films, film):
    film.save()
    assert films.events() == []
    assert films.entries() == []


@pytest.mark.parametrize(
    "write",
    [
        lambda film: film.update(set__year=1980),
        lambda film: film.update(push__tags="space"),
        lambda film: film.update(unset__year=1),
        lambda film: film.modify(set__year=1980),
        lambda film: film.modify({"year": 1979}, inc__year=1),
        lambda film: film.update(__raw__={"$rename": {"t": "x"}}),
        lambda film: film.update(__raw__={"$rename": {"notes": "t"}}),
    ],
)
def test_update_and_modify_of_a_document_are_indexed(films, film, write):
    write(film)
    assert [event[0] for event in films.events()] == ["DocumentUpdated"]
    assert films.entries() == [("Picture", "")]
    films.assert_index_equals_collections()


def test_a_modify_that_finds_nothing_announces_only_what_it_may_have_changed(
    films, film
):
    assert not film.modify({"year": 1900}, set__title="never")
    films.assert_index_equals_collections()
    assert films.index(Picture)[str(film.pk)]["title"] == "Alien"


def test_a_deleted_document_leaves_the_index(films, film):
    Critique.objects.delete()
    films.events()
    film.delete()
    assert films.events()[-1] == ("DocumentDeleted", "Picture", 1, film)
    films.assert_index_equals_collections()
    assert films.index(Picture) == {}


def test_cascading_saves_are_followed(films, film):
    film.director.name = "Ridley Scott"
    film.title = "Aliens"
    film.save(cascade=True)
    assert [event[:2] for event in films.events()] == [
        ("DocumentUpdated", "Picture"),
        ("DocumentUpdated", "Filmmaker"),
    ]
    films.assert_index_equals_collections()
    assert films.index(Picture)[str(film.pk)]["director"]["name"] == "Ridley Scott"


def test_a_document_with_a_key_of_its_own_is_announced_once_when_it_is_created(films):
    Picture(id=ObjectId("64" * 12), title="given").save()
    assert [event[0] for event in films.events()] == ["DocumentCreated"]
    films.assert_index_equals_collections()


def test_a_document_that_was_deleted_meanwhile_and_is_saved_is_indexed_as_it_is(
    films, film
):
    again = Picture.objects.get(pk=film.pk)
    Critique.objects.delete()
    film.delete()
    films.deliver()
    again.notes = "only this, which no document shows"
    again.published = True
    again._mark_as_changed("published")
    again.save()
    films.assert_index_equals_collections()
    assert str(film.pk) in films.index(Picture)


def test_a_save_that_a_condition_refuses_changes_nothing(films, film):
    film.title = "never"
    with pytest.raises(me.errors.SaveConditionError):
        film.save(save_condition={"year": 1900})
    films.assert_index_equals_collections()
    assert films.index(Picture)[str(film.pk)]["title"] == "Alien"


def test_a_duplicate_is_refused_as_ever_and_leaves_nothing_behind(films, film):
    twin = Picture(title="twin", code="a")
    with pytest.raises(me.NotUniqueError):
        twin.save()
    assert twin.pk is None
    films.assert_index_equals_collections()
    twin.code = "b"
    twin.save()
    films.assert_index_equals_collections()


# --- what query sets do ------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda: Picture.objects(year__lt=1985).update(inc__year=1),
        lambda: Picture.objects.update(multi=False, set__title="one"),
        lambda: Picture.objects.order_by("-year").update_one(set__title="one"),
        lambda: Picture.objects(title="1984").update_one(set__year=1, upsert=True),
        lambda: Picture.objects(title="new").update_one(set__year=1, upsert=True),
        lambda: Picture.objects(title="new").update(set__year=1, upsert=True),
        lambda: Picture.objects(title="new").upsert_one(set__year=1),
        lambda: Picture.objects(title="1984").upsert_one(set__year=1),
        lambda: Picture.objects(pk=ObjectId()).upsert_one(set__title="given"),
        lambda: Picture.objects.order_by("-year").modify(set__title="last"),
        lambda: Picture.objects(title="new").modify(set__year=1, upsert=True),
        lambda: Picture.objects(title="new").modify(set__year=1, upsert=True, new=True),
        lambda: Picture.objects.order_by("year").modify(remove=True),
        lambda: Picture.objects(title="none").modify(set__year=1),
        lambda: Picture.objects(year__gte=1984).delete(),
        lambda: Picture.objects.order_by("year").limit(2).delete(),
        lambda: Picture.objects.insert(Picture(title="one")),
        lambda: Picture.objects.insert([Picture(title="one"), Picture(title="two")]),
        lambda: Picture.objects.insert([Picture(title="one")], load_bulk=False),
        lambda: Picture.objects(title__in=["1984", "1985"]).update(
            set__published=False
        ),
        lambda: Picture.objects(awards__title="x").update(set__awards__S__title="y"),
        lambda: Picture.objects.update(
            __raw__={"$set": {"awards.$[one].title": "y"}},
            array_filters=[{"one.title": "x"}],
        ),
    ],
)
def test_writes_of_query_sets_are_indexed(films, write):
    uk = Land(code="uk", name="UK").save()
    for year in range(1980, 1990):
        awards = [Prize(title="x", given_by=uk)] if year % 2 else []
        Picture(title=str(year), year=year, awards=awards).save()
    films.assert_index_equals_collections()
    before = Picture._get_collection().count_documents({})
    films.events()
    write()
    assert films.events() or Picture._get_collection().count_documents({}) == before
    films.assert_index_equals_collections()


def test_updates_by_pipelines_are_indexed(films, film):
    update = [{"$set": {"year": {"$add": ["$year", 1]}}}]
    try:
        film.update(__raw__=update)
    except me.OperationError as error:
        pytest.skip(f"the server knows no updates by pipelines: {error}"[:120])
    Picture.objects.update(__raw__=update)
    assert [change.fields for event in films.heard for change in event.changes] == [
        None,
        None,
    ]
    films.assert_index_equals_collections()
    assert films.index(Picture)[str(film.pk)]["year"] == 1981


def test_the_answers_of_query_sets_are_those_of_mongoengine(films):
    for year in range(1980, 1990):
        Picture(title=str(year), year=year).save()
    assert Picture.objects(year__lt=1985).update(inc__year=1) == 5
    assert Picture.objects(year=1900).update(inc__year=1) == 0
    assert Picture.objects(year=1900).update_one(inc__year=1) == 0
    result = Picture.objects(year__gt=1986).update(set__tags=["x"], full_result=True)
    assert (result.matched_count, result.modified_count) == (3, 3)
    result = Picture.objects(title="n").update_one(
        set__year=1, upsert=True, full_result=True
    )
    assert (result.matched_count, type(result.upserted_id)) == (0, ObjectId)
    assert Picture.objects(title="n").modify(set__year=2).year == 1
    assert Picture.objects(title="n").modify(set__year=3, new=True).year == 3
    assert Picture.objects(title="x").modify(set__year=3) is None
    assert Picture.objects(title="m").modify(set__year=3, upsert=True) is None
    assert Picture.objects(year__gt=1986).delete() == 3
    assert Picture.objects(year__gt=1986).delete() == 0


def test_a_write_of_more_documents_than_one_query_names_is_announced_in_parts(
    films, monkeypatch
):
    monkeypatch.setattr(selecting, "MOST_KEYS", 7)
    Picture.objects.insert([Picture(title=str(n), year=n) for n in range(30)])
    films.deliver()
    films.events()
    assert Picture.objects(year__lt=20).update(inc__year=100) == 20
    assert [event[2] for event in films.events()] == [7, 7, 6]
    films.assert_index_equals_collections()
    assert Picture.objects(year__gte=100).delete() == 20
    films.assert_index_equals_collections()
    assert len(films.index(Picture)) == 10


def test_rules_for_deletes_of_what_is_referred_to_are_followed(films, film):
    film.director.delete()
    film.cast[0].delete()
    films.assert_index_equals_collections()
    document = films.index(Picture)[str(film.pk)]
    assert document["director"] is None
    assert document["cast"] == []
    film.reload()
    film.delete()
    films.assert_index_equals_collections()
    assert films.index(Critique) == {}


def test_a_delete_that_a_rule_denies_changes_nothing(films, film):
    Ticket(film=film).save()
    with pytest.raises(me.OperationError):
        film.delete()
    films.assert_index_equals_collections()
    assert str(film.pk) in films.index(Picture)


# --- what documents embed ----------------------------------------------------


def test_changes_of_what_is_embedded_by_reference_are_followed(films, film):
    film.director.country.update(set__name="Britain")
    films.assert_index_equals_collections()
    document = films.index(Picture)[str(film.pk)]
    assert document["director"]["country"]["name"] == "Britain"
    assert document["awards"][0]["given_by"]["name"] == "Britain"
    Human.objects(name="Weaver").update(set__name="Sigourney")
    films.assert_index_equals_collections()
    assert films.index(Picture)[str(film.pk)]["cast"][0]["name"] == "Sigourney"


def test_deleting_what_is_referred_to_without_a_rule_is_followed(films, film):
    Land.objects.delete()
    films.assert_index_equals_collections()
    document = films.index(Picture)[str(film.pk)]
    assert document["director"]["country"] is None


def test_a_document_that_comes_after_what_refers_to_it_is_shown(films):
    director = Filmmaker(id=ObjectId(), name="late")
    film = Picture(title="first", director=director).save()
    films.assert_index_equals_collections()
    assert films.index(Picture)[str(film.pk)]["director"] is None
    director.save(force_insert=True)
    films.assert_index_equals_collections()
    assert films.index(Picture)[str(film.pk)]["director"]["name"] == "late"


def test_a_new_document_with_a_key_that_was_made_for_it_is_looked_up_by_nobody(films):
    Filmmaker(name="new").save()
    assert films.entries() == [("Human", "")]


def test_a_document_that_gets_another_class_moves(films):
    person = Human(name="Scott").save()
    film = Picture(title="Alien", cast=[person]).save()
    films.assert_index_equals_collections()
    Human.objects(pk=person.pk).update(__raw__={"$set": {"_cls": "Human.Filmmaker"}})
    films.assert_index_equals_collections()
    assert films.index(Picture)[str(film.pk)]["cast"]
    assert {event[1] for event in films.events()} >= {"Human", "Filmmaker"}


def test_a_document_whose_condition_changes_comes_and_goes(films, film):
    Picture.objects.update(set__published=False)
    films.assert_index_equals_collections()
    assert films.index(Picture) == {}
    film.reload()
    film.published = True
    film.save()
    films.assert_index_equals_collections()
    assert str(film.pk) in films.index(Picture)


# --- other collections -------------------------------------------------------


def test_what_is_written_to_a_switched_collection_is_not_the_models(films, film):
    with switch_collection(Picture, "archive"):
        Picture(title="archived").save()
        assert Picture.objects.count() == 1
        Picture.objects.update(set__title="still archived")
        films.assert_index_equals_collections()
    old = Picture.objects.get(pk=film.pk)
    old.title = "copy"
    old.switch_collection("archive")
    old.save()
    assert films.entries() == []
    films.assert_index_equals_collections()
    assert [one["title"] for one in films.index(Picture).values()] == ["Alien"]
    film.title = "Aliens"
    film.save()
    films.assert_index_equals_collections()


def test_what_is_written_to_a_switched_database_is_not_the_models(films, film, mongodb):
    name = f"{mongodb.name}_archive"
    me.register_connection("archive", name, **options_of(mongodb))
    try:
        with switch_db(Picture, "archive"):
            Picture(title="archived").save()
        Picture.objects.using("archive").update(set__year=1)
        film.switch_db("archive")
        film.save()
        assert films.entries() == []
        films.assert_index_equals_collections()
    finally:
        mongodb.client.drop_database(name)
        me.disconnect("archive")


def test_another_alias_of_the_same_database_is_followed(films, film, mongodb):
    me.register_connection("same", mongodb.name, **options_of(mongodb))
    try:
        Picture.objects.using("same").update(set__year=1980)
        assert films.entries() == [("Picture", "")]
        with switch_db(Picture, "same"):
            Picture(title="by another road").save()
        films.assert_index_equals_collections()
        assert len(films.index(Picture)) == 2
    finally:
        me.disconnect("same")


def options_of(database):
    host, port = database.client.address
    return {"host": host, "port": port, "uuidRepresentation": "standard"}


def test_a_collection_that_is_dropped_is_owed_and_caught_up_with(films, film):
    Picture.drop_collection()
    assert {debt.model for debt in films.outbox.debt_status()} >= {"Picture"}
    films.catch_up()
    films.assert_index_equals_collections()
    assert films.index(Picture) == {}
    Picture(title="after").save()
    films.assert_index_equals_collections()


def test_what_an_aggregation_writes_is_owed(films, film):
    Picture.objects.aggregate([{"$match": {"year": 1900}}, {"$out": "picture"}])
    assert {debt.model for debt in films.outbox.debt_status()} >= {"Picture"}
    films.catch_up()
    films.assert_index_equals_collections()


def test_what_bulk_write_writes_is_owed_with_one_warning(films, film, caplog):
    collection = Picture._get_collection()
    result = collection.bulk_write([UpdateMany({}, {"$set": {"t": "by PyMongo"}})])
    assert result.matched_count == 1
    (warning,) = [one for one in caplog.records if "bulk_write" in one.message]
    assert "Picture" in warning.message
    films.catch_up()
    films.assert_index_equals_collections()
    assert films.index(Picture)[str(film.pk)]["title"] == "by PyMongo"


# --- the order ---------------------------------------------------------------


def test_a_veto_of_a_subscriber_stops_the_write(films, film):
    def veto(event):
        raise ValueError("no")

    films.listener = veto
    film.title = "never"
    for write in (
        film.save,
        film.delete,
        Picture(title="never").save,
        lambda: Picture.objects.update(set__title="never"),
        lambda: Picture.objects(title="new").upsert_one(set__year=1),
        lambda: Picture.objects.insert([Picture(title="never")]),
    ):
        with pytest.raises(ValueError, match="no"):
            write()
    assert [one.title for one in Picture.objects] == ["Alien"]
    assert films.entries() == []


@pytest.mark.parametrize(
    "write",
    [
        lambda film: film.update(set__year=1),
        lambda film: film.delete(),
        lambda film: Picture(title="new").save(),
        lambda film: Picture.objects.insert([Picture(title="new")]),
        lambda film: Picture.objects(title="new").upsert_one(set__year=1),
        lambda film: Picture.objects.modify(set__year=1),
    ],
)
def test_entries_are_stored_before_the_write_and_confirmed_after_it(
    films, film, write, monkeypatch
):
    Critique.objects.delete()
    films.deliver()
    steps = []
    for name in ("announce", "confirm"):
        original = getattr(films.outbox, name)

        def spied(entries, name=name, original=original):
            steps.append((name, state(film)))
            return original(entries)

        monkeypatch.setattr(films.outbox, name, spied)
    before = state(film)
    write(film)
    after = state(film)
    films.outbox.flush()
    assert before != after
    assert [step for step in steps if step[1] == before][-1][0] == "announce"
    assert steps[-1] == ("confirm", after)


def state(film):
    return list(Picture._get_collection().find().sort("_id", 1))


def test_an_entry_whose_writer_died_before_the_write_is_harmless(films, film):
    with pytest.raises(KeyboardInterrupt):
        dying(lambda: Picture.objects.update(set__year=1), before=True)
    assert films.entries() == [("Picture", "")]
    assert films.outbox.waiting() == 1
    pass_time(films, WRITER_LEASE + 1)
    films.assert_index_equals_collections()


def test_an_entry_whose_writer_died_after_the_write_is_caught_up_with(films, film):
    with pytest.raises(KeyboardInterrupt):
        dying(lambda: Picture.objects.update(set__year=1), before=False)
    pass_time(films, WRITER_LEASE + 1)
    films.assert_index_equals_collections()
    assert films.index(Picture)[str(film.pk)]["year"] == 1


def test_an_entry_stays_unconfirmed_where_the_answer_to_its_write_was_lost(films, film):
    with pytest.raises(AutoReconnect):
        dying(
            lambda: Picture.objects.update(set__year=1),
            before=False,
            error=AutoReconnect("lost"),
        )
    (entry,) = films.outbox.collections.outbox.find()
    assert entry["writer_until"] > 0
    pass_time(films, WRITER_LEASE + 1)
    films.assert_index_equals_collections()


def test_an_entry_is_confirmed_where_the_server_has_refused_its_write(films, film):
    with pytest.raises(me.OperationError):
        Picture.objects.update(__raw__={"$nonsense": {"year": 1}})
    films.outbox.flush()
    assert all(
        entry["writer_until"] == 0 for entry in films.outbox.collections.outbox.find()
    )
    films.assert_index_equals_collections()


def test_an_entry_of_a_write_that_nobody_answers_is_not_confirmed(films, film):
    def unanswered(self, *args, **options):
        assert not self.write_concern.acknowledged
        return UpdateResult({}, acknowledged=False)

    with pytest.MonkeyPatch.context() as patch:
        # The server of the tests loses such writes, and answers to them.
        patch.setattr(Collection, "update_many", unanswered)
        Picture.objects.update(set__year=1, write_concern={"w": 0})
    (entry,) = films.outbox.collections.outbox.find()
    assert entry["writer_until"] > 0


def dying(write, *, before, error=None):
    """A write whose process dies just before or just after it reaches the server."""
    plain = Collection.update_many

    def dies(self, *args, **options):
        if not before:
            plain(self, *args, **options)
        raise error or KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Collection, "update_many", dies)
        write()


def pass_time(films, seconds):
    now = films.outbox.collections.now
    films.outbox.collections.now = lambda: now() + seconds


# --- suspended ---------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda film: film.update(set__year=1),
        lambda film: Picture.objects.update(set__year=1),
        lambda film: Picture.objects.insert(
            [Picture(title="new"), Picture(title="newer")]
        ),
        lambda film: Picture.objects(title="new").upsert_one(set__year=1),
        lambda film: Filmmaker.objects.update(set__name="x"),
        lambda film: Critique.objects.delete(),
    ],
)
def test_writes_while_sync_is_suspended_are_owed_and_caught_up_with(films, film, write):
    with suspended():
        write(film)
    assert films.entries() == []
    assert films.outbox.debt_status()
    films.catch_up()
    assert not films.outbox.debt_status()
    films.assert_index_equals_collections()


def test_many_writes_while_sync_is_suspended_make_few_debts(films):
    with suspended():
        for n in range(20):
            Picture(title=str(n)).save()
    assert films.outbox.collections.debts.count_documents({}) == 1
    films.catch_up()
    films.assert_index_equals_collections()


def test_a_catch_up_does_not_settle_the_debt_of_a_write_that_is_under_way(films, film):
    plain = Collection.update_many

    def late(self, *args, **options):
        films.catch_up()
        assert films.outbox.debt_status()
        return plain(self, *args, **options)

    with pytest.MonkeyPatch.context() as patch, suspended():
        patch.setattr(Collection, "update_many", late)
        Picture.objects.update(set__year=1)
    films.catch_up()
    assert not films.outbox.debt_status()
    films.assert_index_equals_collections()


def test_a_catch_up_that_began_before_a_late_write_does_not_settle_its_debt(
    films, film
):
    plain, begun = Collection.update_many, []

    def late(self, *args, **options):
        pass_time(films, WRITER_LEASE + 1)
        begun.extend(films.outbox.debts("Picture", ["memory"]))
        return plain(self, *args, **options)

    with pytest.MonkeyPatch.context() as patch, suspended():
        patch.setattr(Collection, "update_many", late)
        Picture.objects.update(set__year=1)
    assert begun
    films.outbox.settle(begun)
    assert films.outbox.debt_status()
    films.catch_up()
    films.assert_index_equals_collections()


# --- many writers ------------------------------------------------------------


def test_a_queue_that_is_popped_by_many_gives_each_document_to_one(films):
    Picture.objects.insert([Picture(title=str(n), year=n) for n in range(40)])

    def pop(_):
        found = (
            Picture.objects(published=True)
            .order_by("year")
            .modify(set__published=False)
        )
        return found and found.year

    with ThreadPoolExecutor(6) as pool:
        popped = list(pool.map(pop, range(50)))
    assert sorted(year for year in popped if year is not None) == list(range(40))
    films.assert_index_equals_collections()


def test_upserts_of_one_key_by_many_make_one_document(films):
    def upsert(_):
        Picture.objects(code="one").update_one(inc__year=1, upsert=True)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(upsert, range(30)))
    (film,) = Picture.objects
    assert film.year == 30
    films.assert_index_equals_collections()


def test_whatever_many_writers_do_at_the_same_time_the_index_converges(films):
    print(f"NEFERTARI_TEST_SEED={SEED}")  # noqa: T201 - to repeat the run
    chance = random.Random(SEED)
    countries = [Land(code=c, name=c).save() for c in "ab"]

    def write(seed):
        chance = random.Random(seed)
        year = chance.randrange(8)
        some = Picture.objects(year=year)
        director = Filmmaker.objects(name=str(chance.randrange(3))).first()
        for _ in range(4):
            chance.choice(
                [
                    lambda: Picture(title="new", year=year, director=director).save(),
                    lambda: some.update(inc__year=1),
                    lambda: some.update_one(set__title=str(seed)),
                    lambda: some.modify(set__director=director),
                    lambda: some.modify(remove=True),
                    lambda: some.update_one(set__title="new", upsert=True),
                    lambda: Filmmaker.objects(name=str(year)).update_one(
                        set__style=str(seed), upsert=True
                    ),
                    lambda: Filmmaker.objects(name=str(year)).update(
                        set__country=chance.choice(countries)
                    ),
                    lambda: Filmmaker.objects(name=str(year)).delete(),
                    lambda: Land.objects(code="a").update(set__name=str(seed)),
                ]
            )()

    seeds = [chance.random() for _ in range(60)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, seeds))
        films.deliver()
    films.assert_index_equals_collections()


# --- inline ------------------------------------------------------------------


def test_inline_a_write_is_in_the_index_when_it_returns(mongodb):
    films = Films(sync="inline")
    try:
        film = Picture(title="Alien").save()
        assert films.index(Picture)[str(film.pk)]["title"] == "Alien"
        Picture.objects.update(set__title="Aliens")
        assert films.index(Picture)[str(film.pk)]["title"] == "Aliens"
        film.delete()
        assert films.index(Picture) == {}
        assert films.outbox.waiting() == 0
    finally:
        films.close()


def test_a_class_that_belongs_to_no_application_any_more_is_written_as_ever(mongodb):
    films = Films()
    films.close()
    Picture(title="Alien").save()
    Picture.objects.update(set__title="Aliens")
    assert films.entries() == []
    assert [film.title for film in Picture.objects] == ["Aliens"]
