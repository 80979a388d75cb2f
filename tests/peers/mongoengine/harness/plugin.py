"""A plugin of pytest that gives MongoEngine's tests an application.

``PEERS_MODE``: ``plain`` (no application), ``worker`` (what waits is delivered at the
end of each test) or ``inline`` (each write is delivered at once, and references are
embedded). ``PEERS_RECORDS``: the file that gets a line of JSON for each test.
``PEERS_LOSE``: every second entry is lost, and the comparison has to notice.

Each test has an application of its own. A class is given documents when it asks for
its collection for the first time, or is dropped. After the method of the test, and
before it is torn down, what waits is delivered, and the index is compared.
"""

from __future__ import annotations

import os
import traceback
import unittest
from contextlib import suppress

import mongoengine as me
import orjson
import pytest
from harness.application import Application
from harness.classes import IMPORT, Classes, is_model
from harness.comparing import Comparison
from harness.server import COMMANDS, prepare

MODE = os.environ.get("PEERS_MODE", "worker")
LOSES = bool(os.environ.get("PEERS_LOSE"))

prepare(os.environ["MONGODB_URL"])
CLASSES = Classes()
CLASSES.watch()


class Session:
    """One test.

    :attr problems: errors that are none of the test's.
    """

    def __init__(self, item: pytest.Item) -> None:
        self.record = {
            "id": item.nodeid, "outcome": "passed", "error": "", "differences": [],
            "problems": [], "documents": 0, "models": 0, "refused": [], "unseen": [],
        }  # fmt: skip
        self._module = item.module.__name__
        self._places = (item.nodeid, _place_of_class(item))
        self._application: Application | None = None
        self._known: set[type] = set()
        self._is_busy = self._is_over = False
        self._owes = False

    # --- what the classes tell -------------------------------------------------

    def uses(self, model: type, *, drops: bool) -> None:
        """A class asks for its collection, or is about to drop it."""
        if self._is_busy or self._is_over or MODE == "plain":
            return
        with self._busy("giving documents"):
            if self._owes:
                self._owes = False
                self._application.settle()
            self._meet(model)
            self._owes = drops and self._application is not None

    def _meet(self, model: type) -> None:
        there = CLASSES.of(self._module, self._places)
        fresh = [one for one in there if one not in self._known]
        if is_model(model) and model not in self._known and model not in fresh:
            fresh.append(model)
        if not fresh:
            return
        if self._application is not None:
            clash = {one.__name__ for one in fresh} & self._application.schemas.keys()
            if clash:
                # The test goes on with another class of this name.
                self._compare()
                self._end_application()
        if self._application is None:
            self._application = Application(
                "inline" if MODE == "inline" else "worker", nests=MODE == "inline"
            )
        self._known.update(fresh)
        newest = {one.__name__: one for one in fresh}
        self.record["models"] += len(newest)
        self._application.add(newest.values())

    # --- the end ---------------------------------------------------------------

    def compare(self) -> None:
        """The test's method is over."""
        if self._is_over:
            return
        self._is_over = True
        if self._application is not None:
            with self._busy("comparing"):
                self._compare()

    def _compare(self) -> None:
        application = self._application
        if LOSES:
            application.lose_entries()
        application.settle()
        comparison = Comparison(application)
        comparison.compare()
        self.record["differences"] += comparison.differences
        self.record["documents"] += comparison.documents
        self.record["unseen"] += comparison.unseen

    def close(self) -> None:
        """The test is over."""
        self._is_over = True
        with self._busy("closing"):
            self._end_application()

    def _end_application(self) -> None:
        if self._application is not None:
            self.record["refused"] += self._application.refused
            self._application.close()
            self._application = None

    def _busy(self, what: str):
        return _Busy(self, what)


class _Busy:
    """The time in which this plugin works, and not the test."""

    def __init__(self, session: Session, what: str) -> None:
        self._session, self._what = session, what

    def __enter__(self) -> None:
        self._session._is_busy = True
        self._quiet = COMMANDS.quiet()
        self._quiet.__enter__()

    def __exit__(self, kind, error, trace) -> bool:
        self._quiet.__exit__(None, None, None)
        self._session._is_busy = False
        if not isinstance(error, Exception):
            return False
        places = traceback.extract_tb(trace)[-3:]
        where = " < ".join(f"{one.name}:{one.lineno}" for one in reversed(places))
        self._session.record["problems"].append(
            f"{self._what}: {type(error).__name__}: {error!s:.300} ({where})"
        )
        return True


class _FirstUse:
    """Stands for a class method of ``Document``, and tells of its use."""

    def __init__(self, original: classmethod, *, drops: bool) -> None:
        self._original, self._drops = original, drops

    def __get__(self, instance, owner):
        name = self._original.__func__.__name__

        def call():
            if CURRENT and owner not in CURRENT[0]._known:
                CURRENT[0].uses(owner, drops=False)
                if owner in CURRENT[0]._known:
                    # It may have another method of this name by now.
                    asked = owner if instance is None else instance
                    return getattr(asked, name)()
            if CURRENT:
                CURRENT[0].uses(owner, drops=self._drops)
            return self._original.__get__(None, owner)()

        return call


CURRENT: list[Session] = []

if MODE != "plain":
    for _name in ("_get_collection", "drop_collection"):
        _original = vars(me.Document)[_name]
        _hook = _FirstUse(_original, drops=_name == "drop_collection")
        setattr(me.Document, _name, _hook)

_call_test_method = unittest.TestCase._callTestMethod


def _call_and_compare(case, method):
    result = _call_test_method(case, method)
    if CURRENT:
        CURRENT[0].compare()
    return result


unittest.TestCase._callTestMethod = _call_and_compare


def _place_of_class(item: pytest.Item) -> object:
    return (item.module.__name__, getattr(item, "cls", None))


@pytest.hookimpl(hookwrapper=True, tryfirst=True)
def pytest_runtest_setup(item):
    CLASSES.place = _place_of_class(item)
    yield
    CLASSES.place = IMPORT


@pytest.hookimpl(hookwrapper=True, trylast=True)
def pytest_runtest_call(item):
    session = Session(item)
    CURRENT.append(session)
    COMMANDS.unseen.clear()
    CLASSES.place = item.nodeid
    outcome = yield
    error = _error_of(item, outcome)
    session.record["outcome"] = _outcome_of(error)
    if error is None:
        session.compare()
    else:
        session.record["error"] = f"{type(error).__name__}: {error!s:.500}"
    session.close()
    CLASSES.place = IMPORT
    CURRENT.clear()
    with open(os.environ["PEERS_RECORDS"], "ab") as records:
        records.write(orjson.dumps(session.record) + b"\n")


def _error_of(item: pytest.Item, outcome) -> BaseException | None:
    # unittest's are kept there by pytest.
    with suppress(AttributeError, IndexError, TypeError):
        return item._excinfo[0].value
    return outcome.excinfo[1] if outcome.excinfo else None


def _outcome_of(error: BaseException | None) -> str:
    if error is None:
        return "passed"
    skipped = isinstance(error, pytest.skip.Exception | unittest.SkipTest)
    return "skipped" if skipped else "failed"
