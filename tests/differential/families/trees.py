"""A tree in one table, and two tables that refer to each other (``post_update``)."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.differential.families.family import Family


class Base(DeclarativeBase):
    pass


class Node(Base):
    """Goes with all that is above it, by the database."""

    __tablename__ = "nodes"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    parent_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("nodes.id", ondelete="CASCADE", onupdate="CASCADE")
    )
    parent: Mapped[Node | None] = relationship(
        back_populates="children", remote_side=[id]
    )
    children: Mapped[list[Node]] = relationship(
        back_populates="parent", passive_deletes=True, order_by="Node.id"
    )


class Team(Base):
    """Has members, one of which it calls its captain."""

    __tablename__ = "teams"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    captain_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("players.id", name="captain", use_alter=True, ondelete="SET NULL")
    )
    captain: Mapped[Player | None] = relationship(
        foreign_keys=[captain_id], post_update=True
    )
    players: Mapped[list[Player]] = relationship(
        back_populates="team", foreign_keys="Player.team_id", order_by="Player.id"
    )


class Player(Base):
    __tablename__ = "players"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    team_id: Mapped[int | None] = mapped_column(sa.ForeignKey("teams.id"))
    team: Mapped[Team | None] = relationship(
        back_populates="players", foreign_keys=[team_id]
    )


def _seed():
    root = Node(id=1, name="root")
    middle = Node(id=2, name="middle", parent=root)
    captain = Player(id=1, name="c")
    return [
        *(root, middle, Node(id=3, name="leaf", parent=middle), Node(id=4)),
        Team(id=1, name="t", captain=captain, players=[captain, Player(id=2)]),
        Team(id=2),
        Player(id=3),
    ]


FAMILIES = [
    Family(
        name="trees",
        base=Base,
        documents={
            Node: {"nested": ("parent", "children")},
            Team: {"nested": ("captain", "players")},
            Player: {"nested": ("team",)},
        },
        seed=_seed,
        joins=((Node, "parent_id", Node), (Player, "team_id", Team)),
    )
]
