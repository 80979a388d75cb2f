"""The reference has what the code has."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import click
import pytest

import nefertari_engine_base
import nefertari_es
from nefertari_engine_base import exceptions, interfaces
from nefertari_engine_base.encoding import Kind
from nefertari_engine_base.primary import sqla
from nefertari_engine_base.query import params
from nefertari_engine_base.schema import FieldSchema
from nefertari_engine_base.values import Operator
from nefertari_es.cli import main
from nefertari_es.fields import FieldTypes
from tests.docs.blocks import DOCS

PACKAGES = [nefertari_engine_base, nefertari_es, sqla]


def page(name: str) -> str:
    return (DOCS / f"{name}.rst").read_text()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Names of every Python object in the documentation, which is built for it."""
    inventory = pytest.importorskip("sphinx.util.inventory")
    pytest.importorskip("furo")
    folder = tmp_path_factory.mktemp("html")
    subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-n", "-W", "--keep-going", "-q"),
            *("-b", "html", str(DOCS), str(folder)),
        ],
        check=True,
        timeout=300,
    )
    with (folder / "objects.inv").open("rb") as stream:
        found = inventory.InventoryFile.load(stream, "", lambda base, path: path)
    return {
        name
        for kind, objects in found.items()
        if kind.startswith("py:")
        for name in objects
    }


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_every_public_name_is_in_the_documentation_which_builds_without_warnings(
    package, built
):
    documented = {name.rpartition(".")[2] for name in built}
    assert set(package.__all__) <= documented


def test_every_interface_is_in_the_documentation(built):
    names = {name for name in vars(interfaces) if re.fullmatch(r"I[A-Z]\w+", name)}
    documented = {name.rpartition(".")[2] for name in built}
    assert names - {"Interface", "Iterable"} <= documented


def test_every_error_is_listed_with_its_status():
    text = page("howto/errors")
    for name, error in vars(exceptions).items():
        if inspect.isclass(error) and issubclass(error, exceptions.EngineError):
            if error is exceptions.EngineError:
                continue
            status = "raised" if error.status == 500 else str(error.status)
            assert f"   * - ``{name}``\n     - {status}\n" in text, name


def test_every_parameter_is_listed():
    text = page("reference/parameters")
    assert params.__doc__
    names = set(re.findall(r"``(_[a-z]\w+)``", params.__doc__))
    names |= {operator.value for operator in Operator}
    assert "_query_secondary" in names
    for name in names:
        assert re.search(rf"(?<![a-z]){name}\b", text), name


def test_every_kind_is_listed_with_its_type_in_the_index():
    text = page("architecture/documents")
    for kind in Kind:
        field = FieldTypes().make("Model", FieldSchema(name="field", kind=kind))
        row = re.search(
            rf"^   \* - ``{kind}``\n     - (?:.|\n)*?\n     - ((?:.|\n)*?)\n     - ",
            text,
            re.MULTILINE,
        )
        assert row, kind
        assert f"``{field.to_dict()['type']}``" in row[1], kind


def commands(group: click.Group, prefix: str):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def test_every_command_and_option_is_listed():
    text = page("reference/command-line")
    for name, command in [*commands(main, "nefertari-es"), ("", main)]:
        assert name in text
        for option in command.params:
            if isinstance(option, click.Option):
                assert max(option.opts, key=len) in text, (name, option.opts)
