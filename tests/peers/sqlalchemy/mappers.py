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

from sqlalchemy.orm import Mapper, Session, mapperlib, registry


class Mappers:
    """The mapped classes of the test that runs.

    :param configured: is called each time that SQLAlchemy has configured mappers.
    :param discarding: is called when mappers are about to be thrown away.
    """

    def __init__(
        self, configured: Callable[[], None], discarding: Callable[[], None]
    ) -> None:
        self._configured = configured
        self._discarding = discarding
        self._is_held = False
        self._test_class: object = None
        #: The test class in whose fixtures a class was mapped; ``None``: in a test. It
        #: is not the class that counts: many tests map the same ones anew.
        self._origins: WeakKeyDictionary[Mapper[Any], object] = WeakKeyDictionary()
        self._taken: WeakSet[Mapper[Any]] = WeakSet()
        self._hear()

    def begin(self, test_class: object) -> None:
        """A test begins, after its fixtures."""
        self._taken = WeakSet()
        self._test_class = test_class
        for mapper in all_mappers():
            self._origins.setdefault(mapper, test_class)

    def end(self) -> None:
        """A test ends."""
        for mapper in all_mappers():
            self._origins.setdefault(mapper, None)

    def forget(self) -> None:
        """Offer those anew that were taken."""
        self._taken = WeakSet()

    def take(self, is_wanted: Callable[[Mapper[Any]], bool]) -> list[Mapper[Any]]:
        """The configured mappers of the test, base classes first; each once.

        :param is_wanted: those that are not wanted by now are left for later.
        """
        found = [
            mapper
            for mapper in all_mappers()
            if mapper.configured and self._is_open(mapper) and is_wanted(mapper)
        ]
        self._taken.update(found)
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
        for one in list(mapperlib._all_registries()):
            if not any(map(self._is_open, mappers_of(one))):
                continue
            try:
                mapperlib._configure_registries({one}, True)
            except Exception:  # noqa: BLE001 - any class may be wrong in any way
                for mapper in mappers_of(one):
                    vars(mapper).pop("_configure_failed", None)

    def _is_open(self, mapper: Mapper[Any]) -> bool:
        """Whether a mapper is one of the test, and was not taken yet. Those of other
        tests may have no table any more."""
        origin = self._origins.get(mapper, self._test_class)
        return origin is self._test_class and mapper not in self._taken

    def _hear(self) -> None:
        configure = mapperlib._configure_registries

        @functools.wraps(configure)
        def configure_registries(registries: Any, cascade: bool) -> None:
            if self._is_held:
                return
            # It is called for every instance that is made, and mostly for nothing.
            is_new = any(one._new_mappers for one in registries)
            configure(registries, cascade)
            if is_new and not mapperlib._already_compiling:
                self._configured()

        mapperlib._configure_registries = configure_registries

        discard = mapperlib._dispose_registries

        @functools.wraps(discard)
        def dispose_registries(registries: Any, cascade: bool) -> None:
            if not self._is_held:
                self._discarding()
            discard(registries, cascade)

        mapperlib._dispose_registries = dispose_registries

        # No application begins to follow a model in the middle of a statement. A
        # listener would do, were it not that any of do_orm_execute makes yield_per with
        # selectinload fail in 2.0.
        execute, save = Session._execute_internal, Session._bulk_save_mappings

        @functools.wraps(execute)
        def execute_internal(
            session: Session, statement: Any, *args: Any, **more: Any
        ) -> Any:
            if getattr(statement, "is_dml", False) and not self._is_held:
                self.configure()
            return execute(session, statement, *args, **more)

        @functools.wraps(save)
        def bulk_save_mappings(session: Session, *args: Any, **more: Any) -> None:
            if not self._is_held:
                self.configure()
            save(session, *args, **more)

        session_class: Any = Session
        session_class._execute_internal = execute_internal
        session_class._bulk_save_mappings = bulk_save_mappings


def mappers_of(one: registry) -> list[Mapper[Any]]:
    """The mappers of a registry, without the classes whose mapping has failed."""
    managers = list(one._managers)
    return [manager.mapper for manager in managers if manager.is_mapped]


def all_mappers() -> list[Mapper[Any]]:
    """The mappers of all registries that there are."""
    registries = list(mapperlib._all_registries())
    return [mapper for one in registries for mapper in mappers_of(one)]


def _depth_and_name(mapper: Mapper[Any]) -> tuple[int, str, str]:
    model = mapper.class_
    depth = len(list(mapper.iterate_to_root()))
    return depth, model.__module__, model.__qualname__
