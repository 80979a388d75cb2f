"""The servers from a shell: ``python -m tools.servers --help``."""

import argparse
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from tools.servers.doctor import report
from tools.servers.errors import ServersError
from tools.servers.launch import recipe_of, running
from tools.servers.settings import NAMES, Settings, url_variable
from tools.servers.signals import Forwarder, handling, leave

#: Exit status when a server cannot be had, for a reason that the message tells.
_FAILURE = 2
#: Exit status of shells when there is no such command.
_NO_COMMAND = 127


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit status."""
    logging.basicConfig(format="servers: %(message)s", level=logging.INFO)
    options = _parse(sys.argv[1:] if arguments is None else arguments)
    action: Callable[[argparse.Namespace, Settings], int] = options.action
    try:
        with handling(leave):
            return action(options, Settings.from_environment())
    except ServersError as error:
        print(f"servers: {error}", file=sys.stderr)
        return _FAILURE


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    # argparse would take the first `--` for itself, wherever it belongs.
    own, command = list(arguments), None
    if "--" in own:
        split = own.index("--")
        own, command = own[:split], own[split + 1 :]
    parser = _parser()
    options = parser.parse_args(own)
    if (command is not None) != (options.action is _run) or command == []:
        parser.error("`-- COMMAND` belongs to `run NAME...`, and to nothing else")
    options.command = command
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.servers",
        description="Find, start and stop the real servers that tests need.",
    )
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    def add(action: Callable[..., int], name: str, text: str, nargs: str = "+") -> None:
        subparser = actions.add_parser(name, help=text, description=text)
        # No `choices`: it would refuse the empty list that `*` allows.
        subparser.add_argument("names", nargs=nargs, metavar="NAME", help=_NAMES_HELP)
        subparser.set_defaults(action=action)

    add(_run, "run", "run `-- COMMAND...` with the servers' URLs in its environment")
    add(_start, "start", "start servers, print their URLs, and run until interrupted")
    add(_fetch, "fetch", "only download and install what the servers need")
    add(_doctor, "doctor", "tell how each server would be found, what is missing", "*")
    return parser


_NAMES_HELP = f"one of: {', '.join(NAMES)}"


def _run(options: argparse.Namespace, settings: Settings) -> int:
    with running(*options.names, settings=settings) as urls:
        variables = {url_variable(name): url for name, url in urls.items()}
        return _status(options.command, {**os.environ, **variables})


def _status(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    forwarder = Forwarder()
    with handling(forwarder):
        try:
            command = subprocess.Popen(arguments, env=environment)
        except OSError as error:
            print(f"servers: {arguments[0]}: {error.strerror}", file=sys.stderr)
            return _NO_COMMAND
        forwarder.begin(command)
        status = command.wait()
    return status if status >= 0 else 128 - status


def _start(options: argparse.Namespace, settings: Settings) -> int:
    with running(*options.names, settings=settings) as urls:
        for name, url in urls.items():
            print(f"export {url_variable(name)}={url}", flush=True)
        signal.pause()
    return 0


def _fetch(options: argparse.Namespace, settings: Settings) -> int:
    for name in options.names:
        if name not in settings.urls:
            recipe_of(name, settings).fetch()
    return 0


def _doctor(options: argparse.Namespace, settings: Settings) -> int:
    is_complete = report(options.names or NAMES, settings, sys.stdout)
    return 0 if is_complete else _FAILURE


if __name__ == "__main__":
    sys.exit(main())
