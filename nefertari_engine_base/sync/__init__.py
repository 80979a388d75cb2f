"""The write path, in reading order: capture, suspension, transaction, related,
delivery, worker. What it has missed is made up for by losses, rebuild and catch_up."""

from __future__ import annotations

from nefertari_engine_base.sync.suspension import suspended

__all__ = ["suspended"]
