"""``nefertari-es explain``."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import click
import orjson

from nefertari_engine_base.sync.explain import Explanation, IndexedRow, explain
from nefertari_engine_base.sync.verdict import reason_sentence, row_sentence, verdict
from nefertari_es.cli.application import application

#: Characters of a value that are shown.
_WIDTH = 60


@click.command("explain")
@click.argument("model")
@click.argument("id_", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="An object for programs.")
@click.pass_obj
def explain_(config: str, model: str, id_: str, as_json: bool) -> None:
    """Tell what the index holds of the row ID of MODEL, since when, and why.

    Status 0 if it equals the row and nothing of it is dead, else 1. Times are in UTC.
    """
    with application(config) as engines:
        found = explain(engines, model, id_)
    if as_json:
        # Named tuples, which it has no form for, are objects like the others.
        plain = orjson.dumps(
            _plain(found), lambda value: value._asdict(), orjson.OPT_INDENT_2
        )
        click.echo(plain)
    else:
        for line in _lines(found):
            click.echo(line)
    sys.exit(0 if found.in_order else 1)


def _plain(found: Explanation) -> dict[str, Any]:
    plain = {"in_order": found.in_order, **asdict(found)}
    plain["row"]["says"] = row_sentence(found)
    for index, own in zip(found.indices, plain["indices"], strict=True):
        own["says"] = verdict(found, index)
    return plain


def _lines(found: Explanation) -> Iterator[str]:
    yield f"{found.model} {found.row.id}"
    yield f"  primary: {row_sentence(found)}"
    if found.row.hash:
        yield f"    hash {found.row.hash}"
    for index in found.indices:
        yield f"  {index.secondary}: {_stored(index)}"
        if index.stored is not None:
            yield f"    hash {index.stored.hash}"
            yield from _differences(index.differing, index.stored.source, found)
        for sentence in verdict(found, index):
            yield f"    {sentence}"


def _stored(index: IndexedRow) -> str:
    stored = index.stored
    if stored is None:
        return "There is no document; a deleted one leaves nothing to tell of it."
    line = f"Version {stored.version}"
    if stored.written_at is not None:
        line += f", written {stored.written_at:%Y-%m-%d %H:%M:%S}Z"
    return f"{line}, {reason_sentence(stored.why)}."


def _differences(
    names: tuple[str, ...], source: Mapping[str, Any], found: Explanation
) -> Iterator[str]:
    row = found.row.document or {}
    for name in names:
        yield f"    {name}: the index has {_value(source, name)}"
        yield f"    {' ' * len(name)}  the row has   {_value(row, name)}"


def _value(document: Mapping[str, Any], name: str) -> str:
    if name not in document:
        return "no such field"
    text = orjson.dumps(document[name]).decode()
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}..."
