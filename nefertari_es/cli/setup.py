"""``nefertari-es setup``."""

from __future__ import annotations

import click

from nefertari_es.cli.application import application


@click.command()
@click.pass_obj
def setup(config: str) -> None:
    """Create what is missing: tables, the outbox, indices; and triggers, with
    nefertari.capture = triggers."""
    with application(config, sets_up=True) as engines:
        engines.setup_database()
        names = ", ".join(sorted(engines.schemas))
        click.echo(f"The database and the indices are there for: {names}.")
