"""``nefertari-es worker``."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import click

from nefertari_engine_base.engines import Engines
from nefertari_engine_base.sync.resync import resync
from nefertari_engine_base.sync.waker import Waker
from nefertari_engine_base.sync.worker import drain, run
from nefertari_es.cli.application import application
from nefertari_es.web import metrics_of


@click.command()
@click.option("--once", is_flag=True, help="Deliver what waits, then end.")
@click.option(
    "--metrics-port",
    type=click.IntRange(1, 65535),
    help="Serve metrics for Prometheus on this port.",
)
@click.option(
    "--metrics-address",
    default="127.0.0.1",
    show_default=True,
    help="The address that --metrics-port is opened on.",
)
@click.pass_obj
def worker(
    config: str, once: bool, metrics_port: int | None, metrics_address: str
) -> None:
    """Deliver committed changes to the index.

    Any number of workers may run, on any number of machines. SIGTERM ends one
    cleanly, after the delivery that it is busy with.
    """
    if once and metrics_port:
        raise click.UsageError("--once ends before anybody could ask for metrics.")
    with application(config) as engines:
        if once:
            report = drain(engines)
            click.echo(
                f"{report.entries} entries delivered: {report.written} documents "
                f"written, {report.superseded} had newer ones, {report.refused} "
                f"refused."
            )
            for done in resync(engines, partial(drain, engines)):
                click.echo(
                    f"Synchronised again, since a statement could not be followed: "
                    f"{done.report.written} documents differed, {done.removed} removed."
                )
            return
        waker = Waker()

        def end(number: int, frame: Any) -> None:
            waker.stop()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        with _served_metrics(engines, metrics_address, metrics_port):
            run(engines, waker)


def _served_metrics(
    engines: Engines, address: str, port: int | None
) -> AbstractContextManager[None]:
    if port is None:
        return nullcontext()
    return metrics_of(engines.registry).serve(address, port)
