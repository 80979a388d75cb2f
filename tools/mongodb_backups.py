"""Copies of MongoDB's collections, as its own tools make and restore them.

https://www.mongodb.com/docs/database-tools/mongorestore/
"""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

#: What ``index_information`` tells beside the options that an index is made with.
_NO_OPTIONS = ("v", "key", "ns")

#: Documents and indexes of every collection.
Backup = dict[str, tuple[list[Any], dict[str, Any]]]


def names_of(database: Database[dict[str, Any]]) -> list[str]:
    """The collections that are not the server's own."""
    names = database.list_collection_names()
    return [name for name in names if not name.startswith("system.")]


def dump(database: Database[dict[str, Any]]) -> Backup:
    """Copy one collection after the other, as ``mongodump`` does."""
    return {
        name: (
            list(database[name].find()),
            dict(database[name].index_information()),
        )
        for name in names_of(database)
    }


def restore(database: Database[dict[str, Any]], backup: Backup) -> None:
    """Drop and make anew each collection that the backup has, as
    ``mongorestore --drop`` does."""
    there = names_of(database)
    for name, (documents, indexes) in backup.items():
        if name in there:
            database[name].drop()
        if documents:
            database[name].insert_many(documents)
        for index, options in indexes.items():
            if index != "_id_":
                kept = {k: v for k, v in options.items() if k not in _NO_OPTIONS}
                database[name].create_index(options["key"], name=index, **kept)
