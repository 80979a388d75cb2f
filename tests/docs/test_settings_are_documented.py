"""The page of settings has every key that is read, with its default."""

from __future__ import annotations

import re
from typing import Any

import pytest

from nefertari_engine_base.settings import EngineSettings
from nefertari_es.settings import ElasticsearchSettings
from nefertari_es.web.settings import WebSettings
from tests.docs.blocks import DOCS

PAGE = (DOCS / "reference" / "settings.rst").read_text()
CLASSES = [EngineSettings, ElasticsearchSettings, WebSettings]

#: Defaults that the page says in words.
IN_WORDS = {
    "nefertari.engine": "none",
    "nefertari.sync.suspended": "none",
    "elasticsearch.username": "none",
    "elasticsearch.password": "none",
    "elasticsearch.api_key": "none",
    "elasticsearch.ca_certs": "the system's",
    "elasticsearch.max_retries": (
        "one less than the number of hosts, and at least ``1``"
    ),
    "elasticsearch.number_of_replicas": "``auto``",
    "nefertari.web.permission": "none",
}


class Recorder(dict[str, Any]):
    """Settings that remember which keys they were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)


def keys_of(settings_class: Any) -> set[str]:
    recorder = Recorder()
    settings_class.from_settings(recorder)
    return recorder.asked


def documented() -> dict[str, str]:
    """Default by key, from the page."""
    pattern = r"^\.\. confval:: (\S+)\n   :type: .+\n   :default: (.+)\n"
    return dict(re.findall(pattern, PAGE, re.MULTILINE))


def shown(value: Any) -> str:
    if isinstance(value, tuple):
        value = " ".join(value)
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return f"``{value}``"


@pytest.mark.parametrize("settings_class", CLASSES)
def test_every_key_that_is_read_is_on_the_page(settings_class):
    assert keys_of(settings_class) <= documented().keys()


def test_the_page_has_no_key_that_nobody_reads():
    read = set().union(*(keys_of(settings_class) for settings_class in CLASSES))
    assert documented().keys() == read


@pytest.mark.parametrize("settings_class", CLASSES)
def test_defaults_on_the_page_are_those_of_the_class(settings_class):
    defaults, page = settings_class.from_settings({}), documented()
    keys = {key.rpartition(".")[2]: key for key in keys_of(settings_class)}
    keys["engines"] = "nefertari.engine"
    for name in settings_class.__dataclass_fields__:
        key = keys[name]
        expected = IN_WORDS.get(key) or shown(getattr(defaults, name))
        assert page[key] == expected, key


@pytest.mark.parametrize("settings_class", CLASSES)
def test_the_docstring_of_the_class_names_every_key(settings_class):
    for key in keys_of(settings_class):
        assert f"``{key}``" in settings_class.__doc__, key
