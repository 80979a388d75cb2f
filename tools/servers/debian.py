"""Packages of Debian, installed when this process may do so."""

import functools
import logging
import os
import shutil
import subprocess

from tools.servers import cache
from tools.servers.errors import MissingDependency
from tools.servers.settings import Settings

log = logging.getLogger(__name__)


#: What helps somebody who has Docker.
_CONTAINERS = (
    "Or let the servers run in containers, `docker compose up --wait`, and say where "
    "they are, with the variables at the top of docker-compose.yml."
)


def install(
    settings: Settings, package: str, purpose: str, otherwise: str = _CONTAINERS
) -> None:
    """Install ``package``, which ``purpose`` (the start of a sentence) needs.

    :param otherwise: the sentence that says what else helps.
    :raises MissingDependency: if this process may not install, or apt-get fails.
    """
    if not settings.may_install or not shutil.which("apt-get"):
        raise MissingDependency(missing(package, purpose, otherwise))
    with cache.locked(settings.cache, "apt-get"):
        log.info("installing the Debian package %s", package)
        _update()
        complaint = _apt_get("install", "--no-install-recommends", package)
    if complaint:
        raise MissingDependency(
            f"{missing(package, purpose, otherwise)} "
            f"It was tried just now, and apt-get says:\n{complaint}"
        )


def missing(package: str, purpose: str, otherwise: str = _CONTAINERS) -> str:
    """Return the message that says which package to install, and what else helps."""
    return (
        f"{purpose}. Install it: on Debian and Ubuntu, `apt-get install {package}`. "
        f"{otherwise}"
    )


@functools.cache
def _update() -> None:
    # Its failure is not told: the lists that are here may do, and if they do not,
    # the complaint of what comes next says more.
    _apt_get("update")


def _apt_get(*arguments: str) -> str:
    """Return an empty string, or what apt-get complains of."""
    outcome = subprocess.run(
        ("apt-get", "--yes", "--quiet", "-o", "DPkg::Lock::Timeout=600", *arguments),
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if not outcome.returncode:
        return ""
    lines = outcome.stderr.strip().splitlines()
    return "\n".join(lines[-5:]) or f"nothing, with status {outcome.returncode}"
