"""A transaction's log forgets what a savepoint rolls back, and nothing else."""

from nefertari_engine_base.sync.transaction import TransactionLog
from nefertari_engine_base.values import (
    Action,
    Change,
    DocumentRef,
    OutboxEntry,
    Touch,
)


def change(name):
    return Change(DocumentRef("Movie", name), Action.UPDATED)


def touch(name):
    return Touch("es", "Movie", name)


class Written:
    """Stands for the outbox table: hands out numbers."""

    def __init__(self):
        self.rows = []

    def __call__(self, touches):
        first = len(self.rows)
        self.rows += touches
        return [OutboxEntry(first + n, named) for n, named in enumerate(touches)]


def numbers(log):
    return [entry.id for entry in log.entries()["outbox"]]


def test_a_document_gets_one_entry_however_often_it_changes():
    log, written = TransactionLog(), Written()
    for _ in range(3):
        log.touch([touch("1")])
        log.write("outbox", written)
    assert written.rows == [touch("1")]
    assert numbers(log) == [0]


def test_a_rolled_back_savepoint_forgets_its_own_changes_only():
    log, written = TransactionLog(), Written()
    log.record([change("1")])
    log.begin_savepoint()
    log.record([change("2")])
    log.touch([touch("2")])
    log.write("outbox", written)
    log.rollback_savepoint()
    assert log.changes == [change("1")]
    assert log.entries() == {}


def test_a_document_touched_again_after_a_rollback_gets_its_entry_again():
    log, written = TransactionLog(), Written()
    log.begin_savepoint()
    log.touch([touch("1")])
    log.write("outbox", written)
    log.rollback_savepoint()
    log.touch([touch("1")])
    log.write("outbox", written)
    assert numbers(log) == [1]


def test_a_released_savepoint_counts_as_its_outer_transaction():
    log, written = TransactionLog(), Written()
    log.begin_savepoint()
    log.begin_savepoint()
    log.record([change("1")])
    log.touch([touch("1")])
    log.write("outbox", written)
    log.release_savepoint()
    log.release_savepoint()
    log.touch([touch("1")])
    log.write("outbox", written)
    assert log.changes == [change("1")]
    assert numbers(log) == [0]


def test_a_released_inner_savepoint_is_lost_with_its_outer_one():
    log = TransactionLog()
    log.begin_savepoint()
    log.begin_savepoint()
    log.record([change("1")])
    log.release_savepoint()
    log.rollback_savepoint()
    assert log.changes == []
