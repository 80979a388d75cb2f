"""What is stored: stories of about 500 bytes."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

WORDS = (
    *("amber", "basin", "candle", "delta", "ember", "fable", "garden", "harbor"),
    *("island", "jungle", "kernel", "lantern", "meadow", "nectar", "orchard"),
    *("pebble", "quarry", "river", "signal", "timber", "umbra", "valley"),
    *("willow", "yonder", "zephyr", "anchor", "bridge", "copper", "drift"),
    *("engine", "feather", "glacier", "hollow", "ivory"),
)


class StoryColumns:
    """The columns of a story."""

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(sa.String(200))
    description: Mapped[str] = mapped_column(sa.Text)
    tag: Mapped[str] = mapped_column(sa.String(20))
    price: Mapped[float]
    created: Mapped[dt.datetime]


def story_values(number: int) -> dict[str, Any]:
    """The values of a story without its id; the same for the same number."""
    rng = random.Random(number)
    return {
        "title": " ".join(rng.choices(WORDS, k=5)),
        "description": " ".join(rng.choices(WORDS, k=50)),
        "tag": rng.choice(WORDS),
        "price": rng.randrange(100_000) / 100,
        "created": dt.datetime(2020, 1, 1) + dt.timedelta(minutes=number),  # noqa: DTZ001
    }


def new_base() -> type[DeclarativeBase]:
    """A declarative base of its own, with its own metadata."""
    return type("Base", (DeclarativeBase,), {"__doc__": "The base of the models."})
