"""Lists that are put in another order, and links that are objects."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.ext.orderinglist import ordering_list
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from nefertari_engine_base import Nested, Queryable
from tests.application import Application, assert_index_equals_rows

SESSION_ONLY = set()


class Base(DeclarativeBase):
    pass


class Album(Queryable, Base):
    """Shows the names of its tracks, and not their places."""

    __tablename__ = "albums"
    id: Mapped[int] = mapped_column(primary_key=True)
    tracks: Mapped[list[Track]] = relationship(
        back_populates="album",
        order_by="Track.position",
        collection_class=ordering_list("position"),
        cascade="all, delete-orphan",
    )
    credits: Mapped[list[Credit]] = relationship(
        back_populates="album",
        order_by="Credit.artist_id",
        cascade="all, delete-orphan",
    )
    artists: AssociationProxy[list[Artist]] = association_proxy(
        "credits", "artist", creator=lambda artist: Credit(artist=artist)
    )


class Track(Base):
    __tablename__ = "tracks"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    position: Mapped[int | None]
    album_id: Mapped[int | None] = mapped_column(sa.ForeignKey("albums.id"))
    album: Mapped[Album | None] = relationship(back_populates="tracks")


class Artist(Queryable, Base):
    __tablename__ = "artists"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    credits: Mapped[list[Credit]] = relationship(
        back_populates="artist", order_by="Credit.album_id"
    )


class Credit(Base):
    """The link of an album with an artist, with a word of its own."""

    __tablename__ = "credits"
    album_id: Mapped[int] = mapped_column(sa.ForeignKey("albums.id"), primary_key=True)
    artist_id: Mapped[int] = mapped_column(
        sa.ForeignKey("artists.id"), primary_key=True
    )
    role: Mapped[str | None]
    album: Mapped[Album] = relationship(back_populates="credits")
    artist: Mapped[Artist] = relationship(back_populates="credits")


INDEXED = (Album, Artist)


def declare(config) -> None:
    """Albums show tracks and artists, artists their credits."""
    config.add_secondary(
        Album,
        nested={
            "tracks": Nested(fields=("name",)),
            "credits": Nested(fields=("role",)),
            "credits.artist": Nested(),
        },
    )
    config.add_secondary(Artist, nested=("credits",))


@pytest.fixture
def app(database_url, elasticsearch_url, index_prefix):
    app = Application(
        database_url, elasticsearch_url, index_prefix, declare, nefertari__sync="worker"
    ).setup()
    with app.session() as session:
        session.add_all(Artist(id=n, name=f"Artist {n}") for n in (1, 2, 3))
        session.flush()
        album = Album(id=1, tracks=[Track(name=name) for name in "abc"])
        album.credits = [Credit(artist_id=n, role="plays") for n in (1, 2)]
        session.add_all([album, Album(id=2)])
        session.commit()
    check(app)
    yield app
    app.close()


def check(app):
    app.drain()
    assert app.entries() == []
    assert_index_equals_rows(app, INDEXED)


def names(app, key="1"):
    return [track["name"] for track in app.documents(Album)[key]["tracks"]]


def credited(app):
    shown = app.documents(Album)["1"]["credits"]
    return [(credit["artist"]["name"], credit["role"]) for credit in shown]


def change(app, act):
    with app.session() as session:
        act(session, session.get(Album, 1))
        session.commit()
    check(app)


def test_a_list_in_another_order_is_so_in_the_document(app):
    change(app, lambda session, album: album.tracks.insert(0, album.tracks.pop()))
    assert names(app) == ["c", "a", "b"]


def test_places_that_a_statement_changes_reach_the_document(app):
    reverse = sa.update(Track).values(position=-Track.position)
    change(app, lambda session, album: session.execute(reverse))
    assert names(app) == ["c", "b", "a"]


def test_an_element_that_moves_to_another_list_leaves_the_old_one(app):
    def move(session, album):
        other = session.get(Album, 2)
        other.tracks.append(album.tracks[1])

    change(app, move)
    assert names(app) == ["a", "c"]
    assert names(app, "2") == ["b"]


def test_a_removed_element_is_gone_and_a_new_list_replaces_all(app):
    change(app, lambda session, album: album.tracks.pop(0))
    assert names(app) == ["b", "c"]
    change(app, lambda session, album: setattr(album, "tracks", [Track(name="z")]))
    assert names(app) == ["z"]


def test_links_that_are_objects_are_added_changed_removed_and_replaced(app):
    def add(session, album):
        artist = session.get(Artist, 3)
        album.credits.append(Credit(artist_id=artist.id, role="sings"))

    change(app, add)
    assert credited(app)[2] == ("Artist 3", "sings")
    change(app, lambda session, album: setattr(album.credits[2], "role", "hums"))
    assert credited(app)[2] == ("Artist 3", "hums")
    change(app, lambda session, album: album.credits.pop(0))
    assert credited(app) == [("Artist 2", "plays"), ("Artist 3", "hums")]

    def replace(session, album):
        album.credits = [Credit(artist_id=1, role="writes")]

    change(app, replace)
    assert credited(app) == [("Artist 1", "writes")]
    assert app.documents(Artist)["3"]["credits"] == []


def test_links_that_are_made_and_removed_by_a_proxy_reach_both_sides(app):
    def use(session, album):
        album.artists.append(session.get(Artist, 3))
        album.artists.remove(session.get(Artist, 1))

    change(app, use)
    assert credited(app) == [("Artist 2", "plays"), ("Artist 3", None)]
    assert app.documents(Artist)["1"]["credits"] == []
    assert len(app.documents(Artist)["3"]["credits"]) == 1
