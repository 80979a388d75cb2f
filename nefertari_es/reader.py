"""Reading from the server: searches, all hits, documents by id, versions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from elasticsearch import Elasticsearch, NotFoundError

from nefertari_engine_base.exceptions import SecondaryError, SecondaryUnavailable
from nefertari_engine_base.values import Page, Query
from nefertari_engine_base.values.inspection import CHANGE, StoredDocument
from nefertari_es.client import INDEX_NOT_FOUND, missing_index, translated_errors
from nefertari_es.hits import IDS_ONLY_FILTER, make_items, make_page
from nefertari_es.index.mapping import SYNC, SYNC_VERSION
from nefertari_es.paths import IndexedModel
from nefertari_es.search import aggregations_body, query_clause, search_body
from nefertari_es.settings import ElasticsearchSettings

_JSON = {"accept": "application/json", "content-type": "application/json"}

#: An answer without the hits of a shard that failed would look complete.
_WHOLE = "allow_partial_search_results=false"

#: How long the server keeps the state of a scan between two requests.
_SCROLL = "1m"

#: Names of one request line, which may have 4096 bytes in all.
_ALIASES_AT_ONCE = 30


class Reader:
    """Asks the server; may be used by several threads."""

    def __init__(
        self, client: Elasticsearch, settings: ElasticsearchSettings, engine: str
    ) -> None:
        self._client = client
        self._settings = settings
        self._engine = engine

    def search(self, model: IndexedModel, query: Query) -> Page[Any]:
        """One page; all hits if the query has no limit."""
        with translated_errors():
            if query.refresh:
                self.refresh([model.alias])
            if query.limit is None:
                return self._search_all(model, query)
            body = search_body(model, query, self._settings.max_result_window)
            answer = self._post(_search_path(model, query), body)
            return make_page(model, query, answer, self._engine)

    def explain(self, model: IndexedModel, query: Query) -> Mapping[str, Any]:
        """The request of :meth:`search`: ``method``, ``path`` and ``body``."""
        window = self._settings.max_result_window
        body = search_body(model, query, window)
        if query.limit is None:
            body["size"] = self._settings.scan_size
        return {"method": "POST", "path": _search_path(model, query), "body": body}

    def count(self, model: IndexedModel, query: Query) -> int:
        """How many documents match."""
        clause = query_clause(model, query)
        with translated_errors():
            if query.refresh:
                self.refresh([model.alias])
            body = {} if clause is None else {"query": clause}
            return int(self._post(f"/{model.alias}/_count", body)["count"])

    def aggregate(
        self,
        questions: Sequence[tuple[IndexedModel, Query]],
        aggregations: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        """What the documents that match add up to, over all these indices at once."""
        body = aggregations_body(questions, aggregations)
        names = ",".join(model.alias for model, _ in questions)
        with translated_errors():
            self.refresh([model.alias for model, query in questions if query.refresh])
            answer = self._post(f"/{names}/_search?{_WHOLE}", body)
        found: Mapping[str, Any] = answer.get("aggregations", {})
        return found

    def get(self, model: IndexedModel, ids: Sequence[str]) -> list[Any | None]:
        """The documents of these ids, in their order, read in real time."""
        return [
            model.document._of(hit) if hit["found"] else None
            for hit in self._multi_get(model, ids)
        ]

    def stored(
        self, model: IndexedModel, ids: Sequence[str]
    ) -> list[StoredDocument | None]:
        """The same documents as they are stored, with their versions."""
        return [
            _stored(hit) if hit["found"] else None
            for hit in self._multi_get(model, ids)
        ]

    def _multi_get(
        self, model: IndexedModel, ids: Sequence[str]
    ) -> Sequence[Mapping[str, Any]]:
        if not ids:
            return []
        with translated_errors():
            answer = self._post(f"/{model.alias}/_mget", {"ids": list(ids)})
        docs: Sequence[Mapping[str, Any]] = answer["docs"]
        for hit in docs:
            _raise_error(hit)
        return docs

    def missing(self, aliases: Iterable[str], timeout: float) -> list[str]:
        """Those of the aliases that lead to no index.

        :param timeout: seconds until a request counts as unanswered.
        """
        names, known = list(aliases), set[str]()
        client = self._client.options(request_timeout=timeout, ignore_status=404)
        with translated_errors():
            for start in range(0, len(names), _ALIASES_AT_ONCE):
                chosen = ",".join(names[start : start + _ALIASES_AT_ONCE])
                # A 404 says that one is missing, and has those that are not.
                answer = client.perform_request(
                    "GET", f"/_alias/{chosen}", headers={"accept": "application/json"}
                ).body
                for index in answer.values():
                    if isinstance(index, dict):
                        known.update(index.get("aliases", ()))
        return [name for name in names if name not in known]

    def highest_version(self, aliases: Sequence[str]) -> int:
        """The highest version that a document behind these aliases carries; 0 if none.

        Sort values are exact integers, which aggregations are not: these are doubles.
        """
        body = {
            "size": 1,
            "_source": False,
            "track_total_hits": False,
            "sort": [{SYNC_VERSION: {"order": "desc", "unmapped_type": "long"}}],
            "query": {"exists": {"field": SYNC_VERSION}},
        }
        highest = 0
        with translated_errors():
            for start in range(0, len(aliases), _ALIASES_AT_ONCE):
                names = ",".join(aliases[start : start + _ALIASES_AT_ONCE])
                self._post(f"/{names}/_refresh?ignore_unavailable=true", None)
                path = f"/{names}/_search?ignore_unavailable=true&{_WHOLE}"
                for hit in self._post(path, body)["hits"]["hits"]:
                    highest = max(highest, int(hit["sort"][0]))
        return highest

    def refresh(self, aliases: Sequence[str]) -> None:
        """Make every write so far visible to searches."""
        with translated_errors():
            for start in range(0, len(aliases), _ALIASES_AT_ONCE):
                names = ",".join(aliases[start : start + _ALIASES_AT_ONCE])
                self._post(f"/{names}/_refresh", None)

    def ids_below(self, model: IndexedModel, version: int) -> Iterator[list[str]]:
        """Ids of the documents whose version is below this one, in batches."""
        newer = {"range": {SYNC_VERSION: {"gte": version}}}
        body = {
            "size": self._settings.scan_size,
            "_source": False,
            "sort": ["_doc"],
            "query": {"bool": {"must_not": [newer]}},
        }
        with translated_errors():
            self.refresh([model.alias])
            for batch in self._scroll(f"/{model.alias}/_search?{_WHOLE}", body):
                yield [hit["_id"] for hit in batch]

    def _search_all(self, model: IndexedModel, query: Query) -> Page[Any]:
        body = search_body(model, query, self._settings.max_result_window)
        body["size"] = self._settings.scan_size
        path = _search_path(model, query)
        answer = self._post(path, body)
        page = make_page(model, query, answer, self._engine)
        if len(page) + query.start >= page.total:
            return page
        # A scroll begins at the first hit, whatever the query says.
        body.pop("from", None)
        hits: list[Any] = []
        for batch in self._scroll(path, body):
            hits += make_items(model, query, batch)
        page.items = hits[query.start :]
        page.total = len(hits)
        return page

    def _scroll(
        self, path: str, body: Mapping[str, Any]
    ) -> Iterator[Sequence[Mapping[str, Any]]]:
        """All hits, in batches, of the index as it is at the first request.

        Of the ways to read all hits this one is the same on every server.
        """
        body = {key: value for key, value in body.items() if key != "aggs"}
        answer = self._post(f"{path}&scroll={_SCROLL}", body)
        scroll_id = answer["_scroll_id"]
        try:
            while batch := _whole(answer)["hits"].get("hits"):
                yield batch
                answer = self._post(
                    "/_search/scroll", {"scroll": _SCROLL, "scroll_id": scroll_id}
                )
                scroll_id = answer["_scroll_id"]
        finally:
            self._end_scroll(scroll_id)

    def _end_scroll(self, scroll_id: str) -> None:
        with suppress(NotFoundError):  # it may have timed out
            self._client.perform_request(
                "DELETE",
                "/_search/scroll",
                headers=_JSON,
                body={"scroll_id": [scroll_id]},
            )

    def _post(self, path: str, body: Any) -> Any:
        return self._client.perform_request("POST", path, headers=_JSON, body=body).body


def _whole(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer, unless a shard has failed: later pages of a scroll come without it.

    :raises SecondaryUnavailable:
    """
    if answer.get("_shards", {}).get("failed"):
        raise SecondaryUnavailable("A part of the index did not answer; try again.")
    return answer


def _search_path(model: IndexedModel, query: Query) -> str:
    path = f"/{model.alias}/_search?{_WHOLE}"
    return f"{path}&filter_path={IDS_ONLY_FILTER}" if query.ids_only else path


def _raise_error(hit: Mapping[str, Any]) -> None:
    if error := hit.get("error"):
        if error["type"] == INDEX_NOT_FOUND:
            raise missing_index(error["reason"])
        raise SecondaryError(f"Document {hit['_id']}: {error['reason']}")


def _stored(hit: Mapping[str, Any]) -> StoredDocument:
    source = dict(hit["_source"])
    sync = source.pop(SYNC, {})
    at = sync.get("at")
    noted = at is not None
    return StoredDocument(
        hit["_version"],
        source,
        sync.get("version"),
        sync.get("hash"),
        datetime.fromtimestamp(at, UTC) if noted else None,
        sync.get("why", CHANGE) if noted else None,
    )
