"""Chromium for the tests of pages: the one that Debian has, installed if need be."""

from __future__ import annotations

import shutil
from typing import NamedTuple

from tools.servers import debian
from tools.servers.errors import MissingDependency
from tools.servers.settings import Settings

#: Depends on chromium, in the version that it drives.
_PACKAGE = "chromium-driver"
_PURPOSE = "A browser is needed, and chromium and chromedriver were not found"
_OTHERWISE = "Or do without: `--ignore tests/examples/test_browser.py`."


class Browser(NamedTuple):
    """Paths of programs.

    :attr binary: the browser.
    :attr driver: what WebDriver talks to.
    """

    binary: str
    driver: str


def find(settings: Settings | None = None) -> Browser:
    """The browser, which is installed if it is missing and this process may do so.

    :raises MissingDependency: if it is missing; the message says what to install.
    """
    found = _installed()
    if found is None:
        settings = settings or Settings.from_environment()
        debian.install(settings, _PACKAGE, _PURPOSE, _OTHERWISE)
        found = _installed()
    if found is None:
        raise MissingDependency(debian.missing(_PACKAGE, _PURPOSE, _OTHERWISE))
    return found


def _installed() -> Browser | None:
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    return Browser(binary, driver) if binary and driver else None
