"""What the models have in common: one module for each kind of database has them.

Each has ``Movie``, ``Director``, ``Distributor`` and ``Genre``, with the same fields.
"""

from __future__ import annotations

from enum import StrEnum

#: The longest title, and the longest name of anybody or anything.
LONGEST_NAME = 255


class Rating(StrEnum):
    """What the Motion Picture Association says of a film."""

    G = "G"
    PG = "PG"
    PG_13 = "PG-13"
    R = "R"
    NC_17 = "NC-17"
    NOT_RATED = "Not Rated"
    OPEN = "Open"
