"""SQLAlchemy as the primary engine."""
