"""``nefertari-es worker``."""

from __future__ import annotations

import signal
from typing import Any

import click

from nefertari_engine_base.sync.waker import Waker
from nefertari_engine_base.sync.worker import drain, run
from nefertari_es.cli.application import application


@click.command()
@click.option("--once", is_flag=True, help="Deliver what waits, then end.")
@click.pass_obj
def worker(config: str, once: bool) -> None:
    """Deliver committed changes to the index.

    Any number of workers may run, on any number of machines. SIGTERM ends one
    cleanly, after the delivery that it is busy with.
    """
    with application(config) as engines:
        if once:
            report = drain(engines)
            click.echo(
                f"{report.entries} entries delivered: {report.written} documents "
                f"written, {report.superseded} had newer ones, {report.refused} "
                f"refused."
            )
            return
        waker = Waker()

        def end(number: int, frame: Any) -> None:
            waker.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        run(engines, waker)
