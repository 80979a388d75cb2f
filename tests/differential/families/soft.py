"""SQLAlchemy's recipe for rows that are marked as deleted: sessions do not see them.

https://docs.sqlalchemy.org/en/20/_modules/examples/extending_query/filter_public.html
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
    with_loader_criteria,
)

from tests.differential.families.family import Family, listening


class Base(DeclarativeBase):
    pass


class Marked:
    """Has a mark."""

    gone: Mapped[bool] = mapped_column(default=False)


class Folder(Marked, Base):
    __tablename__ = "folders"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    files: Mapped[list[File]] = relationship(
        back_populates="folder", order_by="File.id", passive_deletes=True
    )


class File(Marked, Base):
    __tablename__ = "files"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(sa.String(20))
    folder_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("folders.id", ondelete="CASCADE")
    )
    folder: Mapped[Folder | None] = relationship(back_populates="files")


def _hide_marked(session, undo):
    @listening(session, "do_orm_execute", undo)
    def hide(state):
        if (
            state.is_select
            and not state.is_column_load
            and not state.is_relationship_load
        ):
            state.statement = state.statement.options(
                with_loader_criteria(
                    Marked, lambda cls: cls.gone.is_(False), include_aliases=True
                )
            )


def _mark_in_place_of_delete(session, undo):
    @listening(session, "before_flush", undo)
    def mark(session, context, instances):
        for instance in list(session.deleted):
            session.add(instance)
            instance.gone = True


def _seed():
    folder, gone = Folder(id=1, name="f"), Folder(id=2, name="g", gone=True)
    return [
        *(folder, gone),
        File(id=1, name="a", folder=folder),
        File(id=2, name="b", folder=folder, gone=True),
        File(id=3, name="c", folder=gone),
    ]


FAMILIES = [
    Family(
        name="soft",
        base=Base,
        documents={Folder: {"nested": ("files",)}, File: {"nested": ("folder",)}},
        seed=_seed,
        listeners={
            "hide marked": _hide_marked,
            "mark in place of delete": _mark_in_place_of_delete,
        },
        always=("hide marked",),
        joins=((File, "folder_id", Folder),),
    )
]
