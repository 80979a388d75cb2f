"""Many-to-many: a link table, with both sides embedded, and an association class."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.differential.families.family import Family


class Base(DeclarativeBase):
    pass


post_tags = sa.Table(
    "post_tags",
    Base.metadata,
    sa.Column(
        "post_id", sa.ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    ),
    sa.Column("tag_id", sa.ForeignKey("tags.id"), primary_key=True),
)


class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str | None] = mapped_column(sa.String(20))
    tags: Mapped[list[Tag]] = relationship(
        secondary=post_tags, back_populates="posts", order_by="Tag.id",
        passive_deletes=True,
    )  # fmt: skip


class Tag(Base):
    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    posts: Mapped[list[Post]] = relationship(
        secondary=post_tags, back_populates="tags", order_by="Post.id"
    )


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str | None] = mapped_column(sa.String(20))
    lines: Mapped[list[Line]] = relationship(
        back_populates="order", cascade="all, delete-orphan", order_by="Line.item_id"
    )


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    lines: Mapped[list[Line]] = relationship(
        back_populates="item", order_by="Line.order_id", passive_deletes="all"
    )


class Line(Base):
    """Links an order with an item, and has a value of its own."""

    __tablename__ = "lines"
    order_id: Mapped[int] = mapped_column(
        sa.ForeignKey("orders.id", onupdate="CASCADE"), primary_key=True
    )
    item_id: Mapped[int] = mapped_column(
        sa.ForeignKey("items.id", ondelete="CASCADE", onupdate="CASCADE"),
        primary_key=True,
    )
    quantity: Mapped[int | None]
    order: Mapped[Order] = relationship(back_populates="lines")
    item: Mapped[Item] = relationship(back_populates="lines")


def _seed():
    red, blue = Tag(id=1, name="red"), Tag(id=2, name="blue")
    order, item, other = Order(id=1, note="n"), Item(id=1, name="i"), Item(id=2)
    return [
        *(red, blue, order, item, other),
        Post(id=1, title="one", tags=[red, blue]),
        Post(id=2, title="two", tags=[red]),
        Post(id=3),
        Line(order=order, item=item, quantity=1),
        Line(order=order, item=other, quantity=2),
        Order(id=2),
    ]


FAMILIES = [
    Family(
        name="tags",
        base=Base,
        documents={
            Post: {"nested": ("tags",)},
            Tag: {"nested": ("posts",)},
            Order: {"nested": ("lines", "lines.item")},
            Item: {"nested": ("lines", "lines.order")},
            Line: {"nested": ("order", "item")},
        },
        seed=_seed,
        joins=((Line, "item_id", Item), (Line, "order_id", Order)),
    )
]
