"""A module that an application scans."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from nefertari_engine_base import secondary


class Base(DeclarativeBase):
    """The base of the scanned models."""


@secondary(exclude=("notes",))
class Book(Base):
    """Has documents."""

    __tablename__ = "books"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "book"}
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    kind: Mapped[str]
    notes: Mapped[str | None]


class Novel(Book):
    """Has none of its own."""

    __mapper_args__ = {"polymorphic_identity": "novel"}
