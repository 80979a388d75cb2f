"""Leases of writers hold though clocks of nodes differ, and though a machine slept."""

from __future__ import annotations

import time
from datetime import timedelta
from types import SimpleNamespace

import pytest

from nefertari_engine_base.clock import elapsed
from nefertari_engine_base.primary.mongo import collections as clock
from nefertari_engine_base.primary.mongo import entries as storing
from nefertari_engine_base.primary.mongo.collections import (
    CLOCK_SKEW,
    WRITE_TIME,
    WRITER_LEASE,
)
from nefertari_engine_base.primary.mongo.outbox import MongoOutbox
from tests.mongo.test_outbox import Note, deliver, loader_of, note


class Machine:
    """The clocks of this process, which may be put forward.

    :attr counted: seconds that it has counted itself.
    :attr shown: seconds by which the time of day was set.
    """

    counted = shown = 0.0

    def __init__(self, patch):
        patch.setattr(clock, "elapsed", lambda: elapsed() + self.counted)
        shown = SimpleNamespace(time=lambda: time.time() + self.shown)
        patch.setattr(clock, "time", shown)


@pytest.fixture
def machine(monkeypatch):
    return Machine(monkeypatch)


@pytest.fixture
def at_node(mongodb):
    """Makes the outbox of a process whose node's clock is ahead by some seconds."""

    def make(seconds=0.0):
        outbox = MongoOutbox(mongodb, loader_of)
        outbox.setup()
        turn(outbox, seconds)
        return outbox

    return make


def turn(outbox, seconds):
    """Have the outbox talk with a node whose clock is ahead of the one before."""
    collections = outbox.collections
    told = collections._server_time
    collections._server_time = lambda: told() + timedelta(seconds=seconds)
    collections._clock_asked = None


def lease_of(outbox):
    """Seconds that are left of the one lease, by the clock of the server."""
    (stored,) = outbox.collections.outbox.find()
    return stored["writer_until"] - outbox.collections._server_time().timestamp()


@pytest.mark.parametrize("skew", [CLOCK_SKEW, -CLOCK_SKEW])
@pytest.mark.parametrize("passed", [0.0, WRITE_TIME - 1])
def test_a_write_within_its_time_is_seen_though_a_failover_comes_between(
    at_node, skew, passed
):
    writer, worker = at_node(), at_node(skew + passed)
    (entry,) = writer.announce([note("a")])
    with worker.claim(10, [entry.id]) as claim:
        assert claim.draw_and_load([]).version
        Note(key="a").save()  # and the writer dies
        claim.acknowledge(claim.entries)
    assert worker.waiting() == 1
    turn(worker, WRITER_LEASE + CLOCK_SKEW)
    assert deliver(worker).keys() == {"a"}
    assert worker.waiting() == 0


@pytest.mark.parametrize("noticed", ["counted", "shown"])
def test_the_lease_of_a_writer_whose_machine_has_slept_is_whole(
    at_node, machine, noticed
):
    writer = at_node()
    writer.collections.now()
    asked = writer.collections._clock_asked
    turn(writer, 3600)
    writer.collections._clock_asked = asked
    setattr(machine, noticed, 3600)
    writer.announce([note("a")])
    assert lease_of(writer) > WRITER_LEASE - 1


def test_a_machine_that_sleeps_while_it_announces_writes_under_a_whole_lease(
    at_node, machine, monkeypatch
):
    writer, insert = at_node(), storing._insert

    def slowly(*args):
        insert(*args)
        monkeypatch.setattr(storing, "_insert", insert)
        machine.counted = 3600
        turn(writer, 3600)

    monkeypatch.setattr(storing, "_insert", slowly)
    entries = writer.announce([note("a")])
    stored = writer.collections.outbox.find_one({"_id": entries[0].id})
    server = writer.collections._server_time().timestamp()
    assert stored["writer_until"] - server > WRITER_LEASE - 1
    # The other one is as good as confirmed: it costs a delivery, and no more.
    assert deliver(writer) == {}
    assert writer.waiting() == 1


def test_the_clock_of_the_server_is_not_asked_for_each_write(at_node, commands):
    writer = at_node()
    writer.announce([note("a")])
    commands.taken()
    for _ in range(5):
        writer.announce([note("a")])
    assert not {name for name, _ in commands.taken()} & {"isMaster", "hello"}
