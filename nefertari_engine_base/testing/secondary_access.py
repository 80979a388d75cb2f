# ruff: noqa: D102 - the names of the tests are their sentences
"""Conformance of secondary engines: access control lists mean what they say."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

from pyramid.authorization import ALL_PERMISSIONS, ACLHelper, Allow, Deny

from nefertari_engine_base.interfaces import ISecondaryEngine
from nefertari_engine_base.testing.specimens import GUARDED
from nefertari_engine_base.testing.workbench import Workbench, where
from nefertari_engine_base.values import Filter, Operator
from nefertari_engine_base.values.access import Access, Entry

PRINCIPALS = ("ada", "bob", "everyone", "g:admin", "G:admin", "with space")
PERMISSIONS = ("view", "update", "all")

List = list[dict[str, str]]


class AccessSuite:
    """What an engine promises of access control lists."""

    def test_a_list_lets_in_whom_pyramid_lets_in(
        self, engine: ISecondaryEngine
    ) -> None:
        bench, lists = Workbench(engine, GUARDED), random_lists(200)
        bench.fill(*({"id": n, "acl": acl} for n, acl in enumerate(lists)))
        for access in accesses(25):
            expected = [str(n) for n, acl in enumerate(lists) if verdict(acl, access)]
            assert bench.ids(where("acl", access), limit=None) == expected, access

    def test_a_document_without_a_list_is_nobodys(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine, GUARDED)
        bench.fill({"id": 1}, {"id": 2, "acl": []}, {"id": 3, "acl": None})
        assert bench.ids(where("acl", access_of("ada", "everyone"))) == []

    def test_an_entry_is_found_in_the_lists_that_hold_it(
        self, engine: ISecondaryEngine
    ) -> None:
        bench, lists = Workbench(engine, GUARDED), random_lists(60)
        bench.fill(*({"id": n, "acl": acl} for n, acl in enumerate(lists)))
        for entry in (Entry("allow", "ada", "view"), Entry("deny", "bob", "all")):
            expected = [str(n) for n, acl in enumerate(lists) if entry.as_dict() in acl]
            assert expected
            assert bench.ids(where("acl", entry), limit=None) == expected

    def test_an_embedded_document_is_found_by_whom_its_list_lets_in(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine, GUARDED)
        bench.fill(*_embedding())

        def found(path: str, who: str, word: str) -> list[str]:
            relation = path.partition(".")[0]
            mine = where(f"{relation}.acl", access_of(who))
            return bench.ids(where(path, word), mine)

        assert found("chief.name", "ada", "Kane") == ["1"]
        assert found("chief.name", "bob", "Kane") == []
        assert found("crew.name", "ada", "Ash") == ["1"]
        assert found("crew.name", "bob", "Ash") == []
        assert found("crew.name", "bob", "Dallas") == ["1"]
        some = Filter("crew.name", Operator.EXISTS, True)
        assert bench.ids(some, where("crew.acl", access_of("bob"))) == ["1"]

    def test_words_reach_neither_lists_nor_what_has_one(
        self, engine: ISecondaryEngine
    ) -> None:
        bench = Workbench(engine, GUARDED)
        bench.fill(*_embedding())
        assert bench.ids(text="Nostromo") == ["1"]
        for text in (
            *("ada", "allow", "Kane", "Ash", "acl.principal:ada", "acl.action:allow"),
            *("chief.name:kane", "crew.name:ash", "crew.acl.principal:ada"),
        ):
            assert bench.ids(text=text) == [], text
            names = ("acl", "chief.name", "crew.name", "crew.acl")
            assert bench.ids(text=text, text_fields=names) == [], text


def verdict(acl: List, access: Access) -> bool:
    """What Pyramid says of a list."""

    context = SimpleNamespace(
        __acl__=[
            (
                Allow if entry["action"] == "allow" else Deny,
                entry["principal"],
                ALL_PERMISSIONS
                if entry["permission"] == "all"
                else entry["permission"],
            )
            for entry in acl
        ]
    )
    (wanted,) = access.permissions - {"all"}
    return bool(ACLHelper().permits(context, access.principals, wanted))


def random_lists(count: int) -> list[List]:
    """Access control lists of up to five entries."""
    chance = random.Random(20261122)
    return [
        [
            Entry(
                chance.choice(["allow", "deny"]),
                chance.choice(PRINCIPALS),
                chance.choice(PERMISSIONS),
            ).as_dict()
            for _ in range(chance.randint(0, 5))
        ]
        for _ in range(count)
    ]


def accesses(count: int) -> list[Access]:
    """Who asks, with up to four principals, and for which permission."""
    chance = random.Random(7)
    return [
        access_of(
            *chance.sample(PRINCIPALS, chance.randint(0, 4)),
            permission=chance.choice(["view", "update", "delete"]),
        )
        for _ in range(count)
    ]


def access_of(*principals: str, permission: str = "view") -> Access:
    """A question of these principals."""
    return Access(frozenset(principals), frozenset({permission, "all"}))


def _embedding() -> list[dict[str, Any]]:
    mine = [Entry("allow", "ada", "view").as_dict()]
    ours = [*mine, Entry("allow", "bob", "view").as_dict()]
    return [
        {
            "id": 1,
            "title": "Nostromo",
            "acl": mine,
            "chief": {"id": 1, "name": "Kane", "acl": mine},
            "crew": [
                {"id": 2, "name": "Ash", "acl": mine},
                {"id": 3, "name": "Dallas", "acl": ours},
            ],
        },
        {"id": 2, "title": "Sulaco", "acl": mine, "chief": None, "crew": []},
    ]
