"""``nefertari-es setup``."""

from __future__ import annotations

import click

from nefertari_es.cli.application import application


@click.command()
@click.option(
    "--forget",
    "forgotten",
    multiple=True,
    metavar="MODEL",
    help="Forget a model that no version of the application has any more.",
)
@click.pass_obj
def setup(config: str, forgotten: tuple[str, ...]) -> None:
    """Create what is missing: tables, the outbox, indices; and triggers, with
    nefertari.capture = triggers.

    From then on only processes that make documents of the same form deliver.
    """
    with application(config, sets_up=True) as engines:
        engines.setup_database()
        for model in forgotten:
            if model in engines.schemas:
                raise click.UsageError(f"{model} is a model of this application.")
            engines.forms.forget(model)
        names = ", ".join(sorted(engines.schemas))
        click.echo(f"The database and the indices are there for: {names}.")
        if unknown := engines.forms.unknown():
            click.echo(
                f"Another version has recorded: {', '.join(unknown)}. Their entries "
                f"wait for its processes. Once none of these runs any more: "
                f"nefertari-es setup --forget MODEL"
            )
