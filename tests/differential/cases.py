"""Small programs that say what once went wrong, by name; the shortest of their kind."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from tests.differential.operations.conditions import (
    Equals,
    EverySecond,
    Everything,
    Fails,
    InSelect,
    OneOf,
    Plus,
    Unknown,
)
from tests.differential.operations.sessions import (
    Add,
    Attempt,
    Change,
    Collect,
    Delete,
    Deliver,
    DriverCommit,
    EndSavepoint,
    Merge,
    Read,
    Relate,
    Savepoint,
    Session,
    Switch,
    TextCommit,
)
from tests.differential.operations.statements import (
    DeleteWhere,
    InCTE,
    Insert,
    Joined,
    Lambda,
    Many,
    Twice,
    Update,
    UpdateByKey,
)
from tests.differential.operations.texts import Crowd, OldBulk, OldQuery, Text
from tests.differential.playing import Program

KEY = UUID(int=1001)
TITLE: dict[str, Any] = {"title": "x"}
ONE = Equals("id", 1)
BOOK = Change("Book", (1,), TITLE)
AGAIN = Change("Book", (1,), {"title": "y"})


def _p(family: str, *operations: Any, **options: Any) -> Program:
    return Program(family, operations, **options)


#: The application's own statements: other results, rows or errors with us.
STATEMENTS = {
    "insert of one dictionary": _p("books", Insert("Publisher", ({"id": 3},), "one")),
    "insert of a list": _p("books", Insert("Publisher", ({"id": 3}, {"id": 4}))),
    "insert of values answers its key": _p(
        "books", Insert("Publisher", ({"id": 3},), "values", conflict="nothing")
    ),
    "insert of values with an update": _p(
        "books",
        Insert("Publisher", ({"id": 1, "name": "x"},), "values", conflict="update"),
    ),
    "insert from select": _p("books", Insert("Publisher", ({"id": 3},), "select")),
    "update by key without a row": _p(
        "books", UpdateByKey("Book", ({"id": 9} | TITLE,))
    ),
    "names of bind parameters": _p(
        "books", Many("update", "Book", "id", "title", ((1, "x"), (2, "y")))
    ),
    "names of bind parameters of deletes": _p(
        "books", Many("delete", "Review", "id", "id", ((1, 1), (2, 1)))
    ),
    "columns of other names": _p(
        "keys", Update("Hall", {"label": "x"}, Equals("town", "a"), "table")
    ),
    "an orm expression in a table's statement": _p(
        "books",
        DeleteWhere("Review", InSelect("book_id", "Book", "title", "one"), "table"),
    ),
    "a condition that counts": _p("books", Update("Book", TITLE, EverySecond())),
    "a delete whose condition counts": _p(
        "books", DeleteWhere("Review", EverySecond())
    ),
    "a condition that fails": _p("books", Update("Book", TITLE, Fails("id"))),
    "a column that is not there": _p("untold", Update("Shop", {"id": 1}, Unknown())),
    "a delete of two tables": _p("books", Joined(0, None, Everything())),
    "an update of two tables": _p("books", Joined(0, TITLE, Equals("land", "x"))),
    "a lambda": _p("books", Lambda("update", "Book", "title", ("one", "two"))),
    "a uuid in a statement": _p("keys", Update("Document", TITLE, Equals("id", KEY))),
    "a uuid that a statement sets": _p("keys", Update("Document", {"id": KEY})),
    "joined tables inserted by dictionaries": _p(
        "joined", Insert("Racer", ({"id": 7, "plate": "x", "doors": 1},))
    ),
    "a purge of what is marked": _p(
        "soft", DeleteWhere("File", Equals("gone", True)), listeners=("hide marked",)
    ),
    "an update of what is marked": _p(
        "soft", Update("File", {"name": "x"}), listeners=("hide marked",)
    ),
    "many rows": _p("books", Crowd("Publisher", "id", "name", "x", 1100, "delete")),
    "caller's dictionaries": _p(
        "books", OldBulk("bulk_insert_mappings", "Publisher", ({"name": "x"},))
    ),
}

#: Units of work that end otherwise, or load what nobody asked for.
UNITS = {
    "row switch": _p("books", Switch("Publisher", (1,), {"name": "x"})),
    "row switch of children": _p("keys", Switch("Page", (1,), {"words": "x"})),
    "delete of what was added": _p(
        "books", Add("Author", {"name": "a"}), Delete("Author", ("a",))
    ),
    "a key on an expired instance": _p(
        "books", Change("Book", (1,), {"publisher_id": 2}, "expired")
    ),
    "a key on a made instance": _p(
        "books", Change("Book", (1,), {"publisher_id": 2}, "made")
    ),
    "a made instance without a row": _p(
        "books", Change("Book", (9,), {"id": 9}, "made")
    ),
    "load only": _p("books", Change("Book", (1,), {"publisher_id": 2}, "load_only")),
    "a detached instance": _p(
        "books", Change("Book", (1,), {"publisher_id": 2}, "detached")
    ),
    "merge": _p("books", Merge("Book", {"id": 1, "author_name": "b"})),
}

#: Rows that change unseen.
UNSEEN = {
    "the connection of a session": _p(
        "books", Update("Book", TITLE, ONE, road="connection")
    ),
    "a connection of its own": _p("books", Update("Book", TITLE, ONE, road="own")),
    "autocommit": _p("books", Update("Book", TITLE, ONE, road="autocommit")),
    "a table of no metadata": _p("books", Update("Book", TITLE, ONE, "bare")),
    "a text": _p("books", Text("update", "Book", TITLE, {"id": 1})),
    "a text by the driver": _p(
        "books", Text("delete", "Review", {}, {"id": 1}, driver=True)
    ),
    "a lambda again": _p("books", Lambda("delete", "Review", "id", (1, 2))),
    "a cte": _p("books", InCTE(Update("Book", TITLE, ONE, returning=True))),
    "a cte of an update": _p(
        "books", InCTE(DeleteWhere("Review", ONE, returning=True), "Book", TITLE)
    ),
    "a mapper event's connection": _p(
        "books",
        Change("Review", (1,), {"words": "x"}),
        listeners=("count on the connection",),
    ),
    "deletes of before_flush": _p(
        "books",
        Change("Book", (1,), {"pages": 0}),
        listeners=("delete books without pages",),
    ),
    "adds of before_flush": _p(
        "books", Add("Book", {"id": 7}), listeners=("add review of new book",)
    ),
    "orphans": _p("books", Collect("Author", ("a",), "books", ((2,),), "replace")),
    "cascade of a delete": _p("books", Delete("Author", ("a",))),
    "a new natural key": _p("books", Change("Author", ("a",), {"name": "c"})),
    "a new natural key by statement": _p(
        "books", Update("Author", {"name": "c"}, Equals("name", "a"))
    ),
    "a new composite key": _p("keys", Change("Hall", ("a", 1), {"town": "c"})),
    "a new key in a key": _p("tags", Update("Item", {"id": Plus(1000)}, ONE)),
    "post update": _p("trees", Relate("Team", (1,), "captain", (2,))),
    "post update of a delete": _p("trees", Delete("Player", (1,))),
    "a subtree": _p("trees", Delete("Node", (1,))),
    "a subtree by statement": _p("trees", DeleteWhere("Node", ONE)),
    "a new key in a tree": _p("trees", Update("Node", {"id": Plus(1000)}, ONE)),
    "a discriminator": _p("single", Change("Employee", (1,), {"kind": "manager"})),
    "rows that are returned outside of a transaction": _p(
        "untold",
        TextCommit(),
        Insert("Place", ({"id": 1},), "values", returning=True),
        seeded=False,
        recipe=True,
    ),
    "a statement after one that has failed": _p(
        "tags",
        Insert("Item", ({"id": 1},), "values"),
        DeleteWhere("Item", OneOf("id", (1,))),
        swallows=True,
    ),
    "an upsert of rows that meet each other": _p(
        "soft",
        Insert(
            "Folder",
            ({"id": 1, "name": None}, {"id": 1, "name": "y"}),
            "rows",
            "table",
            conflict="update",
        ),
        seeded=False,
    ),
    "an upsert of rows in one statement": _p(
        "soft",
        Insert(
            "Folder",
            ({"id": 1, "name": None}, {"id": 2, "name": "y"}),
            "rows",
            "table",
            conflict="update",
        ),
    ),
    "a discriminator of a new row": _p(
        "single", Add("Employee", {"id": 9, "kind": "manager"})
    ),
    "a discriminator by statement": _p(
        "single", Update("Employee", {"kind": "manager"}, ONE)
    ),
    "a discriminator by key": _p(
        "single", UpdateByKey("Employee", ({"id": 1, "kind": "manager"},))
    ),
    "the base without a discriminator": _p(
        "untold", Change("Place", (2,), {"town": "x"})
    ),
    "the base by statement": _p("untold", Update("Place", {"town": "x"})),
    "the base's row deleted": _p("untold", DeleteWhere("Place", OneOf("id", (1, 2)))),
    "the subclass's table": _p("joined", DeleteWhere("Car", Equals("id", 2), "table")),
    "another class of the table": _p("shared", Change("Contact", (1,), {"name": "x"})),
    "another class, which did not write": _p(
        "shared", Change("Member", (1,), {"name": "x"})
    ),
    "the referred row comes later": _p("odd", Add("Person", {"id": 3, "name": "x"})),
    "the referred row comes later, with a key of the database's": _p(
        "odd", Add("Person", {})
    ),
    "the referred row goes": _p("odd", DeleteWhere("Person", ONE)),
    "the referred row goes by the unit of work": _p("odd", Delete("Person", (1,))),
    "links of many-to-many": _p("tags", Collect("Tag", (2,), "posts", ((3,),))),
    "links by table": _p("tags", DeleteWhere("Post", ONE)),
    "a version counter": _p(
        "keys", Collect("Document", (KEY,), "pages", ((2,),), "remove")
    ),
    "what the server fills": _p("keys", Insert("Show", ({"name": "x"},))),
    "what an update fills": _p("keys", Update("Show", {"name": "x"}, ONE)),
    "a key that the server makes": _p("keys", Insert("Ticket", ({"seat": "x"},))),
    "concrete": _p("concrete", Update("Circle", {"layer_id": 2}, ONE)),
    "query": _p("books", OldQuery("Book", TITLE, ONE, False)),
}

#: What has two beginnings or ends.
SAVEPOINTS = (
    {
        f"a change again after a savepoint by {kind} was rolled back ({sync})": _p(
            "books",
            Savepoint(kind),
            BOOK,
            Session("flush"),
            EndSavepoint("rollback"),
            AGAIN,
            sync=sync,
            seeded=True,
        )
        for kind in ("session", "connection", "text")
        for sync in ("inline", "worker")
    }
    | {
        f"a change again after {name} ({sync})": _p(
            "books", BOOK, end, AGAIN, sync=sync
        )
        for sync in ("inline", "worker")
        for name, end in (
            ("a commit by text", TextCommit()),
            ("a commit by the driver", DriverCommit()),
            ("a commit", Session("commit")),
            ("a delivery", Deliver()),
            ("a rollback", Session("rollback")),
        )
    }
    | {
        f"a change again after a delivery that follows {name}": _p(
            "books", BOOK, end, Deliver(), AGAIN, Session("commit"), sync="worker"
        )
        for name, end in (("a text", TextCommit()), ("the driver", DriverCommit()))
    }
    | {
        f"a transaction that fails after a commit by the driver ({sync})": _p(
            "books",
            *(BOOK, DriverCommit(), Add("Book", {"id": 2}), Session("flush")),
            sync=sync,
        )
        for sync in ("inline", "worker")
    }
    | {
        "the same statement with other values": _p(
            "books",
            Twice(
                *(Update("Book", TITLE, OneOf("id", (id_,)), "table") for id_ in (1, 2))
            ),
        ),
        "pysqlite's release commits": _p(
            "books",
            Savepoint("text"),
            BOOK,
            EndSavepoint("commit"),
            Session("rollback"),
            AGAIN,
        ),
        "the recipe for pysqlite": _p(
            "books", Savepoint("session"), BOOK, EndSavepoint("commit"), recipe=True
        ),
        "an error in a savepoint": _p(
            "books",
            Attempt((Add("Publisher", {"id": 1}),)),
            Attempt((BOOK,)),
            Read("Book"),
        ),
        "errors that are swallowed": _p(
            "books",
            UpdateByKey("Book", ({"id": 1} | TITLE, {"id": 9} | TITLE)),
            swallows=True,
        ),
    }
)

CASES = {**STATEMENTS, **UNITS, **UNSEEN, **SAVEPOINTS}
