"""The parent of one server: a script of its own that outlives whoever started it.

It starts the command of its arguments and obeys one word a line on its standard input
(`stop`, `kill`, `pause`, `resume`), answering `done` to the last two. Its standard
error is the log, the server's and its own. It ends with the server. When its input ends
without a word, the tool is gone, however it went (an exception, SIGTERM, SIGKILL): then
it kills the server and removes the scratch folder.

Why a process, and not PR_SET_PDEATHSIG in the server itself: that signal is sent when
the *thread* that started the server ends, and servers are started from short threads;
it does not reach the grandchild that a launcher such as Elasticsearch's leaves behind;
and it needs preexec_fn, which can deadlock in a process with threads. A pipe that the
kernel closes has none of these problems. This script has one thread.
"""

import argparse
import contextlib
import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def descendants(ancestor: int) -> list[int]:
    """Return the ids of the processes below ``ancestor``, parents before children."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # it has ended in the meantime
                # The second field, the name, is in parentheses and may hold anything.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [ancestor]
    for pid in found:
        found.extend(children.get(pid, ()))
    return found[1:]


def _signal_all(signum: signal.Signals) -> None:
    # By ancestry and not by process group: PostgreSQL gives each backend its own.
    for pid in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)


def _obey(word: str, server: subprocess.Popen[bytes], stop: signal.Signals) -> None:
    if word == "stop":
        _signal_all(signal.SIGCONT)
        server.send_signal(stop)
    elif word == "kill":
        _signal_all(signal.SIGKILL)
    elif word in ("pause", "resume"):
        _signal_all(signal.SIGSTOP if word == "pause" else signal.SIGCONT)
        print("done", flush=True)


def _keep(server: subprocess.Popen[bytes], stop: signal.Signals) -> bool:
    """Obey until the server ends; return whether somebody was there to the end."""
    ended = os.pidfd_open(server.pid)
    # Unbuffered, since select() knows nothing of lines that wait in a buffer.
    with open(0, "rb", buffering=0) as orders:
        while ended not in select.select([orders.fileno(), ended], [], [])[0]:
            if not (line := orders.readline()):
                return False
            _obey(line.decode().strip(), server, stop)
    return True


def _end(server: subprocess.Popen[bytes]) -> int:
    """Kill what is left, and return the server's status when nothing is."""
    _signal_all(signal.SIGKILL)
    status = server.wait()
    # A large process takes a while to die, and holds its ports until it has.
    with contextlib.suppress(ChildProcessError):
        while True:
            _signal_all(signal.SIGKILL)
            os.wait()
    return status


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scratch", required=True)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--stop-signal", type=int, required=True)
    parser.add_argument("command", nargs="+")
    return parser.parse_args()


def main() -> int:
    """Start the server, keep it, and return its exit status."""
    options = _parse()
    # Whatever a launcher leaves behind becomes a child of this process, so that all
    # of the server can always be found below it.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = subprocess.Popen(
        options.command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        cwd=options.scratch,
        user=options.uid,
        group=options.gid,
        extra_groups=None if options.uid is None else (),
    )
    wanted = _keep(server, signal.Signals(options.stop_signal))
    status = _end(server)
    if not wanted:
        shutil.rmtree(options.scratch, ignore_errors=True)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
