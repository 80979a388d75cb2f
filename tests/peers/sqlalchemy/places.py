"""Where downloads and results are kept: outside of the checkout."""

from __future__ import annotations

from pathlib import Path

from tools.servers import Settings

#: The checkout.
ROOT = Path(__file__).resolve().parents[3]


def cache() -> Path:
    """The folder that outlives every run."""
    folder = Settings.from_environment().cache / "peers"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
