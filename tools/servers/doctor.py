"""A report of how each server would be found and of what is missing."""

from collections.abc import Iterable
from typing import TextIO

from tools.servers.launch import recipe_of
from tools.servers.recipe import Finding
from tools.servers.settings import Settings, url_variable


def report(names: Iterable[str], settings: Settings, output: TextIO) -> bool:
    """Write some lines about each server; return whether all of them can be had.

    Nothing is installed, downloaded or started.
    """
    is_complete = True
    print(f"downloads: {settings.cache}", file=output)
    for name in names:
        print(f"{name}:", file=output)
        for finding in _findings(name, settings):
            mark = "ok"
            if finding.is_missing:
                mark = "to be installed" if settings.may_install else "MISSING"
                is_complete = is_complete and settings.may_install
            print(f"  {mark}: {finding.text}", file=output)
    return is_complete


def _findings(name: str, settings: Settings) -> Iterable[Finding]:
    recipe = recipe_of(name, settings)
    if url := settings.urls.get(name):
        return [Finding(f"{url_variable(name)}={url} is used as it is")]
    return recipe.findings()
