"""What tells an index from another one, and from what it was before."""

from __future__ import annotations

import pytest

from nefertari_engine_base.exceptions import EngineError
from nefertari_engine_base.testing.workbench import Workbench, put
from nefertari_engine_base.values import IndexState


@pytest.fixture
def bench(make_engine):
    """An index of three shards."""
    return Workbench(make_engine(number_of_shards=3, scan_size=100))


def state(bench):
    return bench.engine.index_states([bench.schema]).get(bench.schema.name)


def name_of(bench):
    alias = bench.engine.model_of(bench.schema).alias
    (name,) = bench.engine.client.indices.get_alias(name=alias).body
    return name


def test_every_shard_counts(bench):
    bench.fill(*({"id": number} for number in range(50)))
    assert state(bench).operations == 50


def test_an_index_that_is_made_anew_has_another_identity(bench):
    before = state(bench)
    bench.engine.client.indices.delete(index=name_of(bench))
    assert state(bench) == IndexState(before.place, "")
    bench.engine.setup_database()
    after = state(bench)
    assert after.identity
    assert after.identity != before.identity


def test_a_closed_index_cannot_tell_and_is_itself_when_it_is_opened(bench):
    bench.fill({"id": 1})
    before = state(bench)
    client, name = bench.engine.client, name_of(bench)
    client.indices.close(index=name)
    assert state(bench) is None
    client.indices.open(index=name, wait_for_active_shards="1")
    client.cluster.health(index=name, wait_for_status="yellow")
    assert state(bench) == before


def test_what_is_written_past_the_engine_has_no_version_and_is_below_any(bench):
    bench.fill({"id": 1}, version=5)
    bench.engine.client.index(index=name_of(bench), id="foreign", document={"id": 2})
    assert list(bench.engine.ids_below(bench.schema, 1)) == [["foreign"]]


def test_ids_come_in_batches_of_the_scan_size(bench):
    bench.write(*(put(str(number), 1, id=number) for number in range(250)))
    batches = list(bench.engine.ids_below(bench.schema, 2))
    assert [len(batch) for batch in batches] == [100, 100, 50]


def test_ids_of_a_missing_index_are_an_error_that_says_what_to_do(bench):
    bench.engine.client.indices.delete(index=name_of(bench))
    with pytest.raises(EngineError, match="nefertari-es setup"):
        list(bench.engine.ids_below(bench.schema, 1))
