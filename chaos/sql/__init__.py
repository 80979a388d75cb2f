"""SQLAlchemy on PostgreSQL, for the crash tests."""

from chaos.primaries import Primary
from chaos.sql.primary import SQLPrimary


def make() -> Primary:
    """What the crash tests know of it."""
    return SQLPrimary()
