"""Single-table inheritance."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from tests.differential.families.family import Family


class Base(DeclarativeBase):
    pass


class Company(Base):
    __tablename__ = "companies"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    staff: Mapped[list[Employee]] = relationship(
        back_populates="company", order_by="Employee.id"
    )


class Employee(Base):
    """Its discriminator is an attribute like any other: it may be changed."""

    __tablename__ = "employees"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "employee"}
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(
        sa.String(20), info={"pool": ["employee", "manager", "engineer"]}
    )
    name: Mapped[str | None] = mapped_column(sa.String(20))
    company_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("companies.id", ondelete="SET NULL")
    )
    company: Mapped[Company | None] = relationship(back_populates="staff")


class Manager(Employee):
    __mapper_args__ = {"polymorphic_identity": "manager"}
    rank: Mapped[int | None]


class Engineer(Employee):
    __mapper_args__ = {"polymorphic_identity": "engineer"}
    tool: Mapped[str | None] = mapped_column(sa.String(20))


def _seed():
    company = Company(id=1, name="c")
    return [
        *(company, Company(id=2)),
        Employee(id=1, name="e", company=company),
        Manager(id=2, name="m", rank=1, company=company),
        Engineer(id=3, name="g", tool="t"),
    ]


FAMILIES = [
    Family(
        name="single",
        base=Base,
        documents={
            Company: {"nested": ("staff",)},
            Employee: {"nested": ("company",)},
            Manager: {"nested": ("company",)},
            Engineer: {},
        },
        seed=_seed,
        joins=((Employee, "company_id", Company), (Manager, "company_id", Company)),
    )
]
