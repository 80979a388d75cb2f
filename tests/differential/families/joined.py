"""Joined inheritance: of three levels, and without a discriminator."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.differential.families.family import Family


class Base(DeclarativeBase):
    pass


class UntoldBase(DeclarativeBase):
    pass


class Garage(Base):
    __tablename__ = "garages"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    vehicles: Mapped[list[Vehicle]] = relationship(
        back_populates="garage", order_by="Vehicle.id", passive_deletes=True
    )


class Vehicle(Base):
    __tablename__ = "vehicles"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "vehicle"}
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(
        sa.String(20), info={"pool": ["vehicle", "car", "racer"]}
    )
    plate: Mapped[str | None] = mapped_column(sa.String(20))
    garage_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("garages.id", ondelete="CASCADE")
    )
    garage: Mapped[Garage | None] = relationship(back_populates="vehicles")


class Car(Vehicle):
    __tablename__ = "cars"
    __mapper_args__ = {"polymorphic_identity": "car"}
    id: Mapped[int] = mapped_column(
        sa.ForeignKey("vehicles.id", ondelete="CASCADE"), primary_key=True
    )
    doors: Mapped[int | None]


class Racer(Car):
    __tablename__ = "racers"
    __mapper_args__ = {"polymorphic_identity": "racer"}
    id: Mapped[int] = mapped_column(
        sa.ForeignKey("cars.id", ondelete="CASCADE"), primary_key=True
    )
    sponsor: Mapped[str | None] = mapped_column(sa.String(20))


class Place(UntoldBase):
    """Has a subclass, and no discriminator: each shop is a place as well."""

    __tablename__ = "places"
    id: Mapped[int] = mapped_column(primary_key=True)
    town: Mapped[str | None] = mapped_column(sa.String(20))


class Shop(Place):
    __tablename__ = "shops"
    # Its key is called otherwise.
    shop_id: Mapped[int] = mapped_column(
        sa.ForeignKey("places.id", ondelete="CASCADE"), primary_key=True
    )
    goods: Mapped[str | None] = mapped_column(sa.String(20))


def _seed():
    garage = Garage(id=1, name="g")
    return [
        *(garage, Garage(id=2)),
        Vehicle(id=1, plate="v", garage=garage),
        Car(id=2, plate="c", doors=2, garage=garage),
        Racer(id=3, plate="r", doors=1, sponsor="s"),
    ]


def _untold_seed():
    return [Place(id=1, town="t"), Shop(id=2, shop_id=2, town="u", goods="g")]


FAMILIES = [
    Family(
        name="joined",
        base=Base,
        documents={
            Garage: {"nested": ("vehicles",)},
            Vehicle: {"nested": ("garage",)},
            Car: {"nested": ("garage",)},
            Racer: {"nested": ("garage",)},
        },
        seed=_seed,
        joins=((Vehicle, "garage_id", Garage),),
    ),
    Family(
        name="untold",
        base=UntoldBase,
        documents={Place: {}, Shop: {}},
        seed=_untold_seed,
    ),
]
