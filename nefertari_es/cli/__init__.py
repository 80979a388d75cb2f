"""The command line, ``nefertari-es``: one file for each command."""

from __future__ import annotations

import sys
from typing import Any

import click

from nefertari_engine_base.exceptions import EngineError
from nefertari_es.cli.catch_up import catch_up
from nefertari_es.cli.dead_letters import dead_letters
from nefertari_es.cli.explain import explain_
from nefertari_es.cli.index import index
from nefertari_es.cli.setup import setup
from nefertari_es.cli.status import status
from nefertari_es.cli.triggers import triggers
from nefertari_es.cli.worker import worker


class _Group(click.Group):
    """Shows errors of the family as one sentence, since it says what to do."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EngineError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(1)


@click.group(cls=_Group)
@click.option(
    "-c",
    "--config",
    default="development.ini",
    show_default=True,
    envvar="NEFERTARI_CONFIG",
    help="The application's ini file; a section may follow a '#'.",
)
@click.pass_context
def main(context: click.Context, config: str) -> None:
    """Deliver, index and look after the documents of an application."""
    context.obj = config


main.add_command(catch_up)
main.add_command(dead_letters)
main.add_command(explain_)
main.add_command(index)
main.add_command(setup)
main.add_command(status)
main.add_command(triggers)
main.add_command(worker)
