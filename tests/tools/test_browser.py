"""A browser that is missing is installed, or a message says what to install."""

import dataclasses

import pytest

from tools.browser import find
from tools.servers.errors import MissingDependency
from tools.servers.settings import Settings


def test_a_missing_browser_is_a_message_that_says_what_to_install(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("PATH", str(tmp_path))
    settings = dataclasses.replace(Settings.from_environment(), may_install=False)
    with pytest.raises(MissingDependency, match="apt-get install chromium-driver"):
        find(settings)


def test_a_browser_that_is_there_is_found(monkeypatch, tmp_path):
    for name in ("chromium", "chromedriver"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find() == (str(tmp_path / "chromium"), str(tmp_path / "chromedriver"))
