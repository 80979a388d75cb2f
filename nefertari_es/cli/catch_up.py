"""``nefertari-es catch-up``."""

from __future__ import annotations

import sys

import click

from nefertari_engine_base.engines import Engines
from nefertari_engine_base.sync.catch_up import indebted
from nefertari_engine_base.sync.worker import drain
from nefertari_es.cli.application import application
from nefertari_es.cli.indexing import index_model


@click.command("catch-up")
@click.argument("models", nargs=-1)
@click.pass_obj
def catch_up(config: str, models: tuple[str, ...]) -> None:
    """Make up for what MODELS have missed, by default all models.

    What was changed while sync was suspended, and what an index has lost, is owed:
    every row of such a model is indexed, and documents that have no row are removed.
    Without MODELS, what waits in the outbox is delivered, too. The application may go
    on writing meanwhile.
    """
    with application(config) as engines:
        chosen = {engines.schema_of(name).name for name in models}
        refused = _settle(engines, chosen)
        if not models:
            report = drain(engines)
            refused += report.refused
            if report.entries:
                click.echo(f"{report.entries} entries delivered.")
    sys.exit(1 if refused else 0)


def _settle(engines: Engines, chosen: set[str]) -> int:
    """Settle the debts of the chosen models, of all if there are none; the number of
    documents that were refused."""
    reasons, refused = indebted(engines), 0
    names = [name for name in reasons if name in chosen or not chosen]
    if not names:
        click.echo("Nothing is owed.")
    for name in names:
        click.echo(f"{name}: {'; '.join(dict.fromkeys(reasons[name]))}.")
        done = index_model(engines, engines.schemas[name])
        refused += len(done.report.errors)
        click.echo(
            f"{name}: {done.report.written} documents written, "
            f"{done.report.superseded} had newer ones, {done.report.refused} refused, "
            f"{done.removed} removed that had no row."
        )
    return refused
