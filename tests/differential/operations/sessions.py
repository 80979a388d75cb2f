"""What applications do with sessions and instances."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import load_only, make_transient_to_detached

from tests.differential.shapes import shape_of
from tests.differential.world import World, plain, row_of

Key = tuple[Any, ...]


@dataclass(frozen=True)
class Add:
    """Add a new instance."""

    model: str
    values: dict[str, Any]

    def run(self, world: World) -> Any:
        instance = world.model(self.model)(**self.values)
        world.session.add(instance)
        world.alive.append(instance)


@dataclass(frozen=True)
class Merge:
    """Merge a new instance, which may stand for a row that is there."""

    model: str
    values: dict[str, Any]

    def run(self, world: World) -> Any:
        merged = world.session.merge(world.model(self.model)(**self.values))
        world.alive.append(merged)


@dataclass(frozen=True)
class Change:
    """Set attributes of an instance, none of which is asked before.

    :attr got: how the application came by it: ``get``; ``expired``; ``load_only`` its
        key; ``detached`` and added again; ``made`` from its key alone, without a
        SELECT; ``held`` from an earlier operation, whatever has happened since.
    """

    model: str
    key: Key
    values: dict[str, Any]
    got: str = "get"

    def run(self, world: World) -> Any:
        instance = getattr(self, f"_{self.got}")(world)
        if instance is None:
            return "no row"
        world.alive.append(instance)
        for name, value in self.values.items():
            setattr(instance, name, value)
        return None

    def _get(self, world: World) -> Any:
        return world.get(self.model, self.key)

    def _expired(self, world: World) -> Any:
        if (instance := self._get(world)) is not None:
            world.session.flush()
            world.session.expire(instance)
        return instance

    def _load_only(self, world: World) -> Any:
        world.session.flush()
        world.session.expunge_all()
        model = world.model(self.model)
        names = shape_of(model).key
        found = world.session.scalars(
            sa.select(model)
            .where(*(getattr(model, n) == v for n, v in zip(names, self.key)))  # noqa: B905
            .options(load_only(*(getattr(model, n) for n in names)))
        ).first()
        if found is not None:
            world.held[self.model, self.key] = found
        return found

    def _detached(self, world: World) -> Any:
        if (instance := self._get(world)) is not None:
            world.session.flush()
            world.session.expunge(instance)
            for name, value in self.values.items():
                setattr(instance, name, value)
            world.session.add(instance)
        return instance

    def _made(self, world: World) -> Any:
        world.session.flush()
        world.session.expunge_all()
        model = world.model(self.model)
        instance = model(**dict(zip(shape_of(model).key, self.key)))  # noqa: B905
        make_transient_to_detached(instance)
        world.session.add(instance)
        world.held[self.model, self.key] = instance
        return instance

    def _held(self, world: World) -> Any:
        instance = world.held.get((self.model, self.key))
        if instance is None:
            return self._get(world)
        if instance not in world.session and sa.inspect(instance).detached:
            world.session.add(instance)
        return instance


@dataclass(frozen=True)
class Delete:
    """Delete an instance."""

    model: str
    key: Key

    def run(self, world: World) -> Any:
        instance = world.get(self.model, self.key)
        if instance is None:
            return "no row"
        world.session.delete(instance)
        return None


@dataclass(frozen=True)
class Switch:
    """Delete an instance and add another with its key, in one flush: a row switch."""

    model: str
    key: Key
    values: dict[str, Any]

    def run(self, world: World) -> Any:
        instance = world.get(self.model, self.key)
        if instance is None:
            return "no row"
        with world.session.no_autoflush:
            world.session.delete(instance)
            names = shape_of(type(instance)).key
            values = {**self.values, **dict(zip(names, self.key, strict=True))}
            other = type(instance)(**values)
            world.session.add(other)
            world.alive.append(other)
        return None


@dataclass(frozen=True)
class Collect:
    """Append to a collection, remove from it, or replace it.

    :attr what: ``append``, ``remove``, ``replace``.
    """

    model: str
    key: Key
    relation: str
    others: tuple[Key, ...]
    what: str = "append"

    def run(self, world: World) -> Any:
        instance = world.get(self.model, self.key)
        if instance is None:
            return "no row"
        target, _ = shape_of(type(instance)).relations[self.relation]
        found = (world.get(target.__name__, key) for key in dict.fromkeys(self.others))
        others = [other for other in found if other is not None]
        collection = getattr(instance, self.relation)
        if self.what == "replace":
            setattr(instance, self.relation, others)
        elif self.what == "remove":
            for other in others:
                if other in collection:
                    collection.remove(other)
        else:
            collection.extend(other for other in others if other not in collection)
        return None


@dataclass(frozen=True)
class Relate:
    """Set a reference to one instance, or to none."""

    model: str
    key: Key
    relation: str
    other: Key | None

    def run(self, world: World) -> Any:
        instance = world.get(self.model, self.key)
        if instance is None:
            return "no row"
        target, _ = shape_of(type(instance)).relations[self.relation]
        other = world.get(target.__name__, self.other) if self.other else None
        setattr(instance, self.relation, other)
        return None


@dataclass(frozen=True)
class Read:
    """Load all instances of a class, or refresh one."""

    model: str
    key: Key | None = None

    def run(self, world: World) -> Any:
        model = world.model(self.model)
        if self.key is not None:
            return row_of(world.get(self.model, self.key))
        order = [getattr(model, name) for name in shape_of(model).key]
        found = world.session.scalars(sa.select(model).order_by(*order))
        return sorted(map(row_of, found.unique()), key=repr)


@dataclass(frozen=True)
class Session:
    """A method of the session that takes nothing.

    :attr method: ``flush``, ``commit``, ``rollback``, ``close``, ``expire_all``,
        ``expunge_all``.
    """

    method: str

    def run(self, world: World) -> Any:
        if self.method in ("rollback", "close"):
            # A method of the session ends all, whoever has begun it.
            world.savepoints.clear()
        getattr(world.session, self.method)()
        if self.method == "commit":
            world.savepoints.clear()


@dataclass(frozen=True)
class Deliver:
    """Commit, and deliver what waits."""

    def run(self, world: World) -> Any:
        world.session.commit()
        world.savepoints.clear()
        world.deliver()


@dataclass(frozen=True)
class Savepoint:
    """Begin a savepoint.

    :attr kind: ``session``, ``connection`` or ``text``: who begins it.
    """

    kind: str

    def run(self, world: World) -> Any:
        if self.kind == "session":
            handle: Any = world.session.begin_nested()
        elif self.kind == "connection":
            world.session.flush()
            handle = world.session.connection().begin_nested()
        else:
            handle = f"by_text_{len(world.savepoints)}"
            world.session.flush()
            world.session.execute(sa.text(f"SAVEPOINT {handle}"))
        world.savepoints.append((self.kind, handle))


@dataclass(frozen=True)
class EndSavepoint:
    """End the innermost savepoint, in the way that it has begun.

    :attr how: ``commit`` or ``rollback``.
    """

    how: str

    def run(self, world: World) -> Any:
        if not world.savepoints:
            return "none"
        kind, handle = world.savepoints.pop()
        if kind == "text":
            if self.how == "rollback":
                world.session.execute(sa.text(f"ROLLBACK TO SAVEPOINT {handle}"))
                world.session.expire_all()
            else:
                world.session.flush()
                world.session.execute(sa.text(f"RELEASE SAVEPOINT {handle}"))
            return None
        if kind == "connection" and self.how == "commit":
            world.session.flush()
        getattr(handle, self.how)()
        if kind == "connection" and self.how == "rollback":
            world.session.expire_all()
        return None


@dataclass(frozen=True)
class TextCommit:
    """Commit by a text, of which the session knows nothing."""

    def run(self, world: World) -> Any:
        world.session.flush()
        world.session.execute(sa.text("COMMIT"))
        world.savepoints.clear()


@dataclass(frozen=True)
class DriverCommit:
    """Commit by the driver's own connection, of which SQLAlchemy knows nothing."""

    def run(self, world: World) -> Any:
        world.session.flush()
        world.session.connection().connection.commit()
        world.savepoints.clear()


@dataclass(frozen=True)
class Attempt:
    """Operations in a savepoint; an error rolls back what they did, and no more."""

    operations: tuple[Any, ...] = field(default_factory=tuple)

    def run(self, world: World) -> Any:
        results: list[Any] = []
        depth = len(world.savepoints)
        try:
            with world.session.begin_nested():
                for operation in self.operations:
                    results.append(plain(operation.run(world)))
        except (sa.exc.DBAPIError, sa.exc.InvalidRequestError) as error:
            results.append(type(error).__name__)
        del world.savepoints[depth:]
        return results
