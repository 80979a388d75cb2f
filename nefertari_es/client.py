"""The client of the search servers, and the border behind which its errors stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from elastic_transport import ConnectionError as TransportConnectionError
from elastic_transport import ConnectionTimeout as TransportConnectionTimeout
from elastic_transport import (
    HttpHeaders,
    NodeConfig,
    Serializer,
    TransportError,
    Urllib3HttpNode,
)
from elastic_transport._node import NodeApiResponse
from elastic_transport.client_utils import DEFAULT, DefaultType
from elasticsearch import ApiError, Elasticsearch
from elasticsearch.serializer import NdjsonSerializer, OrjsonSerializer

from nefertari_engine_base.exceptions import (
    EngineError,
    QueryError,
    SecondaryError,
    SecondaryUnavailable,
)
from nefertari_engine_base.forks import abandon, renew_after_fork
from nefertari_es.settings import ElasticsearchSettings

#: Statuses that say "not now": rejected for load, no master, a shard not yet there.
UNAVAILABLE_STATUSES = frozenset({429, 502, 503, 504})

INDEX_NOT_FOUND = "index_not_found_exception"

_MEDIA_TYPES = ("accept", "content-type")

#: What a request accepts whose answer is wanted as the bytes of its JSON, by who parses
#: only some of them. Errors are parsed all the same.
JSON_BYTES = "application/x-json-bytes"
_JSON = "application/json"


class SearchNode(Urllib3HttpNode):
    """A node of Elasticsearch 8 and 9 and of OpenSearch 2 and 3, from one client.

    The client asks for the media type of its own major version, which servers of
    another version or make refuse, and wants a response header that only
    Elasticsearch sends. The plain media types mean "your own version" to each.
    https://www.elastic.co/docs/reference/elasticsearch/rest-apis/compatibility

    A process that was forked connects anew.
    """

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        renew_after_fork(self)

    def renew(self) -> None:
        """See :class:`~nefertari_engine_base.forks.Renewable`."""
        abandon(self.pool)
        super().__init__(self.config)

    def perform_request(
        self,
        method: str,
        target: str,
        body: bytes | None = None,
        headers: HttpHeaders | None = None,
        request_timeout: DefaultType | float | None = DEFAULT,
    ) -> NodeApiResponse:
        """As the base class, with neutral headers."""
        neutral = HttpHeaders(headers)
        as_bytes = neutral.get("accept") == JSON_BYTES
        if as_bytes:
            neutral["accept"] = _JSON
        for name in _MEDIA_TYPES:
            if (value := neutral.get(name)) is not None:
                neutral[name] = _neutral_media_type(value)
        response = super().perform_request(
            method, target, body=body, headers=neutral, request_timeout=request_timeout
        )
        response.meta.headers.setdefault("x-elastic-product", "Elasticsearch")
        if as_bytes and response.meta.status < 300:
            response.meta.headers["content-type"] = JSON_BYTES
        return response


def _neutral_media_type(value: str) -> str:
    if "vnd.elasticsearch+" not in value:
        return value
    subtype = value.partition("vnd.elasticsearch+")[2].partition(";")[0]
    return f"application/{subtype}"


class JsonBytesSerializer(Serializer):
    """Leaves an answer the bytes that it came as."""

    mimetype = JSON_BYTES

    def loads(self, data: bytes) -> bytes:
        """The bytes."""
        return data


class ReadyNdjsonSerializer(NdjsonSerializer):
    """Sends bytes that are NDJSON already as they are, where its base copies them."""

    def dumps(self, data: Any) -> bytes:
        """NDJSON of a list of objects; bytes stay what they are."""
        return data if isinstance(data, bytes) else super().dumps(data)


def make_client(settings: ElasticsearchSettings) -> Elasticsearch:
    """A client of these hosts. It connects when it is first used."""
    options: dict[str, Any] = {}
    if settings.username is not None:
        options["basic_auth"] = (settings.username, settings.password or "")
    if settings.api_key is not None:
        options["api_key"] = settings.api_key
    if any(host.startswith("https:") for host in settings.hosts):
        options["verify_certs"] = settings.verify_certs
        if settings.ca_certs is not None:
            options["ca_certs"] = settings.ca_certs
    return Elasticsearch(
        list(settings.hosts),
        node_class=SearchNode,
        serializers={
            _JSON: OrjsonSerializer(),
            JSON_BYTES: JsonBytesSerializer(),
            "application/x-ndjson": ReadyNdjsonSerializer(),
        },
        request_timeout=settings.request_timeout,
        max_retries=settings.max_retries,
        # A server that rejects for load is asked again after a pause, by delivery.
        retry_on_status=(),
        connections_per_node=max(10, 2 * settings.bulk_connections),
        **options,
    )


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise the client's errors as errors of the engines' one family.

    :raises SecondaryUnavailable: the server did not answer, or said "not now".
    :raises QueryError: the server says that the request is wrong.
    :raises SecondaryError: any other error of the server.
    """
    try:
        yield
    except (TransportConnectionError, TransportConnectionTimeout) as error:
        raise SecondaryUnavailable(
            f"The search server did not answer: {error.message}"
        ) from error
    except ApiError as error:
        raise _translated(error) from error
    except TransportError as error:
        raise SecondaryError(f"The search server's answer: {error.message}") from error


def _translated(error: ApiError) -> EngineError:
    status = error.meta.status
    kind, reason = root_cause(error)
    if status in UNAVAILABLE_STATUSES:
        return SecondaryUnavailable(f"The search server cannot answer now: {reason}")
    if kind == INDEX_NOT_FOUND:
        return missing_index(reason)
    if status == 400:
        return QueryError(f"The search server cannot run this query: {reason}")
    return SecondaryError(f"The search server answered {status}: {reason}")


def missing_index(reason: str) -> SecondaryError:
    """The error that says how to create an index."""
    return SecondaryError(
        f"{reason}. Create the indices with setup_database, or `nefertari-es setup`."
    )


def root_cause(error: ApiError) -> tuple[str, str]:
    """Type and reason of what went wrong first, the type empty where unknown."""
    body = error.body
    details = body.get("error") if isinstance(body, dict) else None
    if not isinstance(details, dict):
        said = details or body
        return "", str(said) if said else f"status {error.meta.status}, and no word"
    causes = details.get("root_cause") or [details]
    cause = causes[0]
    while isinstance(cause.get("caused_by"), dict):
        cause = cause["caused_by"]
    return str(causes[0].get("type", "")), str(cause.get("reason") or cause.get("type"))


#: What the server says of its limits, and the setting that raises each.
_LIMITS = {
    "nested_objects.limit": "elasticsearch.nested_objects_limit",
    "number of nested documents": "elasticsearch.nested_objects_limit",
    "nested_fields.limit": "elasticsearch.nested_fields_limit",
    "Limit of nested fields": "elasticsearch.nested_fields_limit",
    "total_fields.limit": "elasticsearch.total_fields_limit",
    "Limit of total fields": "elasticsearch.total_fields_limit",
}


def with_advice(reason: str) -> str:
    """What the server says, with the setting that mends it, if there is one."""
    for words, setting in _LIMITS.items():
        if words in reason:
            return f"{reason} Raise {setting}, and run `nefertari-es setup`."
    return reason
