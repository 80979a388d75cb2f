"""Which classes are mapped, and when SQLAlchemy has configured them.

An application has mapped all of its classes when it starts, and configures them then.
Tests map classes anywhere, some of them wrong on purpose, and leave them behind.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy.orm import Mapper, Session, mapperlib


class Mappers:
    """The mapped classes of the test that runs.

    :param configured: is called each time that SQLAlchemy has configured mappers.
    """

    def __init__(self, configured: Callable[[], None]) -> None:
        self._configured = configured
        self._is_held = False
        #: The test class in whose fixtures a class was mapped; ``None``: in a test.
        self._origins: WeakKeyDictionary[type, object] = WeakKeyDictionary()
        self._taken: WeakSet[type] = WeakSet()
        self._hear()

    def begin(self, test_class: object) -> None:
        """A test begins, after its fixtures."""
        self._taken = WeakSet()
        for mapper in _mappers():
            first = self._origins.setdefault(mapper.class_, test_class)
            if first is not test_class:
                # Of another test; its table may be gone.
                self._taken.add(mapper.class_)

    def end(self) -> None:
        """A test ends."""
        for mapper in _mappers():
            self._origins.setdefault(mapper.class_, None)

    def take(self, is_wanted: Callable[[Mapper[Any]], bool]) -> list[Mapper[Any]]:
        """The configured mappers of the test, base classes first; each once.

        :param is_wanted: those that are not wanted by now are left for later.
        """
        found = [
            mapper
            for mapper in _mappers()
            if mapper.configured
            and mapper.class_ not in self._taken
            and is_wanted(mapper)
        ]
        self._taken.update(mapper.class_ for mapper in found)
        return sorted(found, key=_depth_and_name)

    @contextmanager
    def held(self) -> Iterator[None]:
        """SQLAlchemy configures nothing meanwhile, and nobody is called: what the tests
        have mapped wrongly on purpose is none of ours."""
        before, self._is_held = self._is_held, True
        try:
            yield
        finally:
            self._is_held = before

    def configure(self) -> None:
        """Configure what can be configured by now.

        What cannot be is left as it was, for the test to see it fail.
        """
        for registry in list(mapperlib._all_registries()):
            if all(mapper.class_ in self._taken for mapper in registry.mappers):
                continue
            try:
                mapperlib._configure_registries({registry}, True)
            except Exception:  # noqa: BLE001 - any class may be wrong in any way
                for mapper in list(registry.mappers):
                    vars(mapper).pop("_configure_failed", None)

    def _hear(self) -> None:
        configure = mapperlib._configure_registries

        @functools.wraps(configure)
        def configure_registries(registries: Any, cascade: bool) -> None:
            if self._is_held:
                return
            # It is called for every instance that is made, and mostly for nothing.
            is_new = any(registry._new_mappers for registry in registries)
            configure(registries, cascade)
            if is_new and not mapperlib._already_compiling:
                self._configured()

        mapperlib._configure_registries = configure_registries

        # A listener would do, were it not that any of do_orm_execute makes yield_per
        # with selectinload fail in 2.0.
        execute = Session._execute_internal

        @functools.wraps(execute)
        def execute_internal(
            session: Session, statement: Any, *args: Any, **more: Any
        ) -> Any:
            # No application begins to follow a model in the middle of a statement.
            if getattr(statement, "is_dml", False) and not self._is_held:
                self.configure()
            return execute(session, statement, *args, **more)

        Session._execute_internal = execute_internal  # type: ignore[method-assign, assignment]


def _mappers() -> list[Mapper[Any]]:
    return [
        mapper
        for registry in list(mapperlib._all_registries())
        for mapper in list(registry.mappers)
    ]


def _depth_and_name(mapper: Mapper[Any]) -> tuple[int, str, str]:
    model = mapper.class_
    depth = len(list(mapper.iterate_to_root()))
    return depth, model.__module__, model.__qualname__
