"""A search server that forgets the versions of deleted documents at once."""

from __future__ import annotations

from elasticsearch import Elasticsearch

from tests.sync.working import until

#: The setting that makes a new index do so.
AT_ONCE = "1ms"

#: A document that nobody else has.
_PROBE = "probe"


def await_forgotten(client: Elasticsearch, alias: str) -> None:
    """Wait until the index has forgotten every version of what was deleted so far.

    It is asked: a document that is deleted last, with a version, is written with a
    lower one. The versions of others are forgotten before.
    """
    options = {"index": alias, "id": _PROBE, "version_type": "external"}
    quiet = client.options(ignore_status=(404, 409))
    quiet.delete(**options, version=2)

    def is_forgotten() -> bool:
        client.indices.refresh(index=alias)
        answer = quiet.index(**options, version=1, document={})
        return answer.meta.status < 300

    until(is_forgotten)
    quiet.delete(index=alias, id=_PROBE)
