"""Concrete inheritance: each class has a whole table of its own."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.differential.families.family import Family


class Base(DeclarativeBase):
    pass


class Layer(Base):
    __tablename__ = "layers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    circles: Mapped[list[Circle]] = relationship(
        back_populates="layer", order_by="Circle.id"
    )


class Figure(Base):
    __tablename__ = "figures"
    id: Mapped[int] = mapped_column(primary_key=True)
    colour: Mapped[str | None] = mapped_column(sa.String(20))


class Circle(Figure):
    __tablename__ = "circles"
    __mapper_args__ = {"concrete": True}
    id: Mapped[int] = mapped_column(primary_key=True)
    colour: Mapped[str | None] = mapped_column(sa.String(20))
    radius: Mapped[int | None]
    layer_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("layers.id", ondelete="SET NULL", onupdate="CASCADE")
    )
    layer: Mapped[Layer | None] = relationship(back_populates="circles")


def _seed():
    layer = Layer(id=1, name="l")
    return [
        *(layer, Layer(id=2), Figure(id=1, colour="red")),
        Circle(id=1, colour="blue", radius=1, layer=layer),
        Circle(id=2, radius=2),
    ]


FAMILIES = [
    Family(
        name="concrete",
        base=Base,
        documents={
            Layer: {"nested": ("circles",)},
            Figure: {},
            Circle: {"nested": ("layer",)},
        },
        seed=_seed,
        joins=((Circle, "layer_id", Layer),),
    )
]
