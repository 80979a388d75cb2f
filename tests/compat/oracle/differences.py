"""Where an answer is meant to be another than nefertari-sqla's, and in what.

The rows of the table in ``docs/howto/ramses.rst`` are the differences; a test compares
the two.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Answer = Mapping[str, Any]

#: What a refused write answers, and what one answers that is not.
_ACCEPTED = ("status", "location", "json")


@dataclass(frozen=True)
class Difference:
    """A row of the table.

    :attr here: its first cell.
    :attr requests: the requests that show it; ``*`` at the end stands for anything.
    :attr members: what of their answers may differ: ``status``, ``location``,
        ``message`` (of an error, with its explanation) or ``json``.
    :attr database: the only kind of database where it shows; both, if it is ``None``.
    :attr scenario: the only scenario where it shows; every one, if it is ``None``.
    """

    here: str
    requests: tuple[str, ...] = ()
    members: tuple[str, ...] = ("json",)
    database: str | None = None
    scenario: str | None = None

    def is_about(self, request: str, scenario: str, database: str) -> bool:
        """Whether it shows in the answer to this request."""
        return (
            self.database in (None, database)
            and self.scenario in (None, scenario)
            and any(
                request == each or (each[-1] == "*" and request.startswith(each[:-1]))
                for each in self.requests
            )
        )


DIFFERENCES = (
    Difference(
        "``?name=value`` compares whole values; Lucene's syntax goes into ``q``.",
        ("GET /articles?text=two",),
    ),
    Difference(
        "One filter cannot leave the collection that it is in.",
        ("GET /articles?title=s1 OR text:three&_sort=id",),
    ),
    Difference(
        "``?name=null`` finds what has no value.",
        ("GET /articles?updated_at=null",),
    ),
    Difference(
        "An unknown field in a query is a bad request, and a value that is none of its "
        "field's.",
        (
            *("GET /articles?nonsense=1", "GET /articles?_nonsense=1"),
            *("GET /articles?price=many", "GET /users,articles?nonsense=1"),
            "GET /articles?_aggs.x.min.field=nonsense",
            "GET /users,articles?_aggs.by.terms.field=nonsense",
        ),
        ("status", "json"),
    ),
    Difference(
        "``_search_fields`` without ``q`` is ignored.",
        ("GET /articles?_search_fields=title",),
        ("status", "json"),
    ),
    Difference(
        "``q`` compares keys as they are, spaces included.",
        ("GET /users,articles?q=s1 rick&_search_fields=title,username",),
    ),
    Difference(
        "Aggregations count whole values.",
        (
            "GET /articles?_aggs.by.terms.field=text",
            "GET /users,articles?_aggs.by.terms.field=email",
        ),
    ),
    Difference(
        "Aggregations over several collections are refused where those over one are.",
        ("GET /users,articles?_aggs.by.terms.field=email",),
        ("status", "json"),
    ),
    Difference(
        "Collections that are all unknown have no documents.",
        ("GET /nosuch,neither",),
    ),
    Difference(
        "A second row of the same key or unique value is 409 on SQLite, too.",
        ('POST /users {"username": "Rick"*',),
        ("status", "json"),
        database="sqlite",
    ),
    Difference(
        "Dates and times may be text on SQLite, and booleans on any database.",
        (
            'PATCH /articles/2 {"due_at": "*',
            'PATCH /articles/2 {"issue_date": "*',
            'PATCH /articles/2 {"issue_time": "*',
        ),
        _ACCEPTED,
        database="sqlite",
    ),
    Difference(
        "Dates and times may be text on SQLite, and booleans on any database.",
        ('PATCH /articles/2 {"published": "false"}',),
        _ACCEPTED,
    ),
    Difference(
        "An interval is shown with its days, in seconds.",
        ('PATCH /articles/2 {"embargo": 90061}',),
    ),
    Difference(
        "Bytes are Base64 in JSON, both ways.",
        ('PATCH /articles/2 {"picture": "AAEC"}',),
        _ACCEPTED,
    ),
    Difference(
        "An index is never ahead of the database.",
        # Articles that were refused are among his.
        ("GET /users/rick",),
    ),
    Difference(
        "A document follows every row that it shows.",
        # The key of his token.
        ("GET /users/system",),
        scenario="tokens",
    ),
    Difference(
        "The token of a user who is gone is as good as none.",
        ("GET /users/self",),
        ("status", "json"),
        scenario="tokens",
    ),
    Difference(
        "Keys of related objects are in order.",
        ("GET /users/system",),
        scenario="tickets",
    ),
    Difference(
        "A message names the model, the parameter or the field.",
        (
            'POST /users {"username": "x"}',
            'PATCH /users/rick {"status": "nonsense"}',
            'POST /users/rick/groups {"nonsense": ""}',
            'POST /articles {"title": "t"}',
            'POST /articles {"title": "s1", "text": "one two", "author": "rick", '
            '"price": 1.5, "kind": "poem"}',
            *("GET /articles?_sort=nonsense", "GET /articles?q=("),
            *("GET /articles?_limit=-1", "GET /articles?_page=x"),
            *("GET /articles?_start=1&_page=1", 'PATCH /articles/2 {"progress": 2}'),
            "GET /articles?_aggs.x.nonsense.field=price",
            'PATCH /articles/2 {"title": "xxx*',
            'PUT /articles?title=s1 {"progress": 0.6}',
            'PATCH /articles?title=s1 {"nonsense": 1}',
            'PUT /articles/2 {"title": "new"}',
        ),
        ("message",),
    ),
    Difference(
        "A message names the model, the parameter or the field.",
        ('POST /users {"username": "Rick"*',),
        ("message",),
        database="postgresql",
    ),
    # Those that are everywhere: see compared() here, in_order() and LEFT_OUT of play.
    Difference("``_score`` is null unless hits are sorted by it."),
    Difference("Without ``_sort`` and ``q``, documents follow their keys."),
    Difference("``fields`` of an answer is a list."),
    Difference("The message about a missing item names no index."),
)


def compared(there: Answer) -> Answer:
    """An answer of the oracle without the differences that are everywhere."""
    content = there["json"]
    if not isinstance(content, dict):
        return there
    content = dict(content)
    if isinstance(fields := content.get("fields"), str):
        content["fields"] = [name for name in fields.split(",") if name]
    if isinstance(message := content.get("message"), str):
        index = r"'index': '[^']*', 'doc_type': '[^']*', "
        content["message"] = re.sub(index, "", message)
    return {**there, "json": content}


def different_members(there: Answer, here: Answer) -> set[str]:
    """The names of the members that differ; see :class:`Difference`."""
    there = compared(there)
    members = {name for name in there if there[name] != here.get(name)}
    if "json" in members and _without_words(there) == _without_words(here):
        members = members - {"json"} | {"message"}
    return members


def _without_words(answer: Answer) -> Any:
    content = answer["json"]
    if not isinstance(content, dict) or "status_code" not in content:
        return content
    return {k: v for k, v in content.items() if k not in ("message", "explanation")}


def unintended(
    there: Iterable[Answer], here: Iterable[Answer], scenario: str, database: str
) -> tuple[dict[str, Any], set[str]]:
    """What differs and is not meant to, by request; and the requests that a
    :class:`Difference` names although none of their answers differ."""
    wrong: dict[str, Any] = {}
    same, shown = set[str](), set[str]()
    for one, other in zip(there, here, strict=True):
        request = one["request"]
        assert other["request"] == request
        known = [d for d in DIFFERENCES if d.is_about(request, scenario, database)]
        members = different_members(one, other)
        if known:
            (shown if members else same).add(request)
        unknown = members - {name for each in known for name in each.members}
        if unknown:
            wrong[request] = {
                name: (compared(one).get(name), other.get(name))
                for name in ("json" if name == "message" else name for name in unknown)
            }
    return wrong, same - shown
