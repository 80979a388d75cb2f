"""The faults of the table: what one trial of each does."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import cast

from mongoengine.errors import DoesNotExist, NotUniqueError

from chaos.mongo.database import MongoDB
from chaos.mongo.models import Novelist, Volume
from chaos.mongo.victim import ANYWHERE
from chaos.trials import BULK, LONGEST_WAIT, MOST_COMMITS, Fault, Stage, Trial
from nefertari_engine_base.interfaces import IInTransaction
from nefertari_engine_base.primary.mongo.outbox import UNCONFIRMED_DELAY
from nefertari_engine_base.sync.catch_up import catch_up, indebted
from nefertari_engine_base.sync.worker import drain

#: How often connections are ended in one trial.
_CUTS = 3


class _Vetoed(Exception):
    """A subscriber does not want it."""


def _prepare(trial: Trial, volumes: int) -> None:
    """Make the author with so many volumes, and have them indexed."""
    author = Novelist(id=trial.number, name="Author").save(force_insert=True)
    new = [Volume(id=key, title="old", author=author) for key in trial.keys[:volumes]]
    if new:
        Volume.objects.insert(new)


def _create_update_delete(trial: Trial) -> None:
    first, second, new = trial.keys[:3]
    Volume(id=new, title="new", author=trial.number).save()
    Volume.objects(pk=first).update(set__title="changed")
    Volume.objects.get(pk=second).delete()


def server_down(trial: Trial) -> None:
    """The search server is gone while documents are written."""
    _prepare(trial, 2)
    with trial.stage.door.is_shut():
        _create_update_delete(trial)


def answer_lost(trial: Trial) -> None:
    """The search server does what it is asked for, and its answer is lost."""
    _prepare(trial, 2)
    with trial.stage.door.is_muted():
        _create_update_delete(trial)


# --- vetoes ------------------------------------------------------------------------


@contextmanager
def _vetoing(trial: Trial) -> Iterator[Callable[[Callable[[], object]], None]]:
    """A subscriber refuses everything; gives what tries a write."""
    registry = trial.stage.app.engines.registry

    def veto(event: object) -> None:
        raise _Vetoed

    def refused(write: Callable[[], object]) -> None:
        try:
            write()
        except _Vetoed:
            return
        raise RuntimeError("A write was not refused.")

    registry.registerHandler(veto, [IInTransaction])
    try:
        yield refused
    finally:
        registry.unregisterHandler(veto, [IInTransaction])


def veto_of_a_save(trial: Trial) -> None:
    """New documents are refused by a subscriber."""
    _prepare(trial, 1)
    new = trial.keys[1:3]
    volumes = [Volume(id=key, title="never", author=trial.number) for key in new]
    with _vetoing(trial) as refused:
        refused(volumes[0].save)
        refused(lambda: Volume.objects.insert(volumes))
        refused(lambda: Volume.objects(pk=new[0]).upsert_one(set__title="never"))


def veto_of_an_update(trial: Trial) -> None:
    """Changes are refused by a subscriber."""
    _prepare(trial, 1)
    volume = Volume.objects.get(pk=trial.keys[0])
    volume.title = "never"
    author = Novelist.objects(pk=trial.number)
    with _vetoing(trial) as refused:
        refused(volume.save)
        refused(lambda: volume.update(set__published=False))
        refused(lambda: author.update(set__name="never"))
        refused(lambda: author.modify(set__name="never"))


def veto_of_a_delete(trial: Trial) -> None:
    """A delete, with what it cascades to, is refused by a subscriber."""
    _prepare(trial, 2)
    volumes = Volume.objects(author=trial.number)
    with _vetoing(trial) as refused:
        refused(Volume.objects.get(pk=trial.keys[0]).delete)
        refused(volumes.delete)
        refused(lambda: volumes.modify(remove=True))
        refused(Novelist.objects.get(pk=trial.number).delete)


# --- kills -------------------------------------------------------------------------


def killed(trap: str) -> Fault:
    """The writing process dies at one point of its write."""

    def fault(trial: Trial) -> None:
        _prepare(trial, 0)
        stage = trial.stage
        writes = stage.random.randint(0, MOST_COMMITS)
        stage.victim.start(trial.number, f"{trap}/{writes}", 0)
        stage.victim.await_its_end()
        stage.database.await_victims()

    return fault


def killed_anywhere(trial: Trial) -> None:
    """The writing process is killed at some moment."""
    _prepare(trial, 0)
    trial.kill_at_some_moment(ANYWHERE)


def killed_while_suspended(trial: Trial) -> None:
    """The process that writes while sync is suspended dies before or after a write; a
    catch-up settles what it owed."""
    _prepare(trial, 0)
    stage = trial.stage
    trap = stage.random.choice(["before_document", "before_confirmation"])
    writes = stage.random.randint(0, MOST_COMMITS)
    stage.victim.start(trial.number, f"{trap}/{writes}/suspended", 0)
    stage.victim.await_its_end()
    stage.database.await_victims()
    stage.database.settle(patient=False)
    engines = stage.app.engines
    if not indebted(engines):
        raise RuntimeError("Nothing is owed.")
    for model in indebted(engines):
        catch_up(engines, engines.schemas[model])


def frozen(trial: Trial) -> None:
    """The writing process is frozen between entry and document until the entry has been
    delivered, and is killed when the document is written."""
    pid = _freeze(trial, "stopped")
    stage = trial.stage
    _database(stage).pass_time(UNCONFIRMED_DELAY + 1)
    drain(stage.app.engines)
    _let_go_on(trial, pid)


def frozen_for_too_long(trial: Trial) -> None:
    """The writing process is frozen between entry and document for longer than its
    lease; then it writes and confirms, and is killed."""
    pid = _freeze(trial, "stopped_and_confirmed")
    stage = trial.stage
    stage.database.settle(patient=False)
    drain(stage.app.engines)
    if stage.app.waiting():
        raise RuntimeError("The entry of a frozen writer outlives its lease.")
    _let_go_on(trial, pid)


def _freeze(trial: Trial, trap: str) -> int:
    _prepare(trial, 0)
    stage = trial.stage
    writes = stage.random.randint(0, MOST_COMMITS)
    pid = stage.victim.start(trial.number, f"{trap}/{writes}", 0)
    stage.victim.await_its_stop()
    return pid


def _let_go_on(trial: Trial, pid: int) -> None:
    os.kill(pid, signal.SIGCONT)
    trial.stage.victim.await_its_end()
    trial.stage.database.await_victims()


def _database(stage: Stage) -> MongoDB:
    return cast(MongoDB, stage.database)


def connections_ended(trial: Trial) -> None:
    """Connections to MongoDB end at some moments, and the process goes on."""
    _prepare(trial, 0)
    stage = trial.stage
    commits = stage.random.randint(0, MOST_COMMITS)
    pid = stage.victim.start(trial.number, ANYWHERE, commits)
    for _ in range(_CUTS):
        time.sleep(stage.random.uniform(0, LONGEST_WAIT))
        stage.database.end_connections(stage.random)
    time.sleep(stage.random.uniform(0, LONGEST_WAIT))
    stage.victim.kill(pid)
    stage.database.await_victims()


# --- others ------------------------------------------------------------------------


def two_writers(trial: Trial) -> None:
    """Two threads change one document at the same time, and deliver at the same
    time."""
    _prepare(trial, 1)
    meeting = threading.Barrier(2)
    choices = [
        trial.stage.random.choice([_rename, _hide, _move_and_rename, _delete, _upsert])
        for _ in range(2)
    ]

    def write(change: Callable[[Trial, Volume], object]) -> None:
        volume = Volume.objects.get(pk=trial.keys[0])
        meeting.wait()
        with suppress(DoesNotExist, NotUniqueError):  # the other one was faster
            change(trial, volume)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, choices))


def _rename(trial: Trial, volume: Volume) -> None:
    volume.title = f"by {threading.get_ident()}"
    volume.save()


def _hide(trial: Trial, volume: Volume) -> None:
    Volume.objects(pk=volume.pk).update(set__published=False)


def _move_and_rename(trial: Trial, volume: Volume) -> None:
    another = Novelist(id=trial.keys[-1], name="another").save()
    volume.modify(set__author=another)


def _delete(trial: Trial, volume: Volume) -> None:
    volume.delete()


def _upsert(trial: Trial, volume: Volume) -> None:
    Volume.objects(pk=volume.pk).upsert_one(set__title="upserted", set__published=True)


def bulk_insert(trial: Trial) -> None:
    """Many documents by one insert."""
    _prepare(trial, BULK)


def bulk_update(trial: Trial) -> None:
    """Many documents by one update that names none of them."""
    _prepare(trial, BULK)
    volumes, middle = Volume.objects(author=trial.number), trial.keys[BULK // 2]
    volumes.filter(pk__lt=middle).update(set__title="bulk")
    volumes.filter(pk__gte=middle).update(unset__author=1)


FAULTS: Mapping[str, Fault] = {
    "server down during a write": server_down,
    "answer of the server lost": answer_lost,
    "veto of a save": veto_of_a_save,
    "veto of an update": veto_of_an_update,
    "veto of a delete": veto_of_a_delete,
    "kill -9 before the entry": killed("before_entry"),
    "kill -9 between entry and document": killed("before_document"),
    "kill -9 between document and confirmation": killed("before_confirmation"),
    "kill -9 between confirmation and delivery": killed("before_delivery"),
    "kill -9 at some moment": killed_anywhere,
    "kill -9 while sync is suspended": killed_while_suspended,
    "frozen between entry and document": frozen,
    "frozen for longer than the lease": frozen_for_too_long,
    "connections to MongoDB ended": connections_ended,
    "two writers of one document": two_writers,
    "bulk insert": bulk_insert,
    "bulk update": bulk_update,
}

#: After these nothing may have changed; there is no drain that could mend anything.
WITHOUT_DRAIN: frozenset[Fault] = frozenset(
    {veto_of_a_save, veto_of_an_update, veto_of_a_delete}
)
