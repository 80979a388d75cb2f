"""Who may aggregate which fields of several collections at once.

Nefertari checks that for one collection. Of several it looks for a model that is named
by all their names, finds none, and would let everybody count the values of any field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyramid.threadlocal import get_current_request

from nefertari_engine_base.compat.errors import http_error
from nefertari_engine_base.compat.parameters import aggregated_fields, has_field
from nefertari_engine_base.schema import ModelSchema


def check_privacy(
    schemas: Iterable[ModelSchema], aggregations: Mapping[str, Any]
) -> None:
    """Return if the user of the current request sees these fields in every model that
    has them.

    Without a request, and without authentication, everything may be asked.

    :raises JHTTPForbidden: else, naming the fields.
    """
    from nefertari import wrappers
    from nefertari.utils import dictset, validate_data_privacy

    request = get_current_request()
    if request is None or not _authenticates(request):
        return
    fields = set(aggregated_fields(aggregations))
    for schema in schemas:
        data = dictset.fromkeys(name for name in fields if has_field(schema, name))
        data["_type"] = schema.name
        try:
            validate_data_privacy(request, data)
        except wrappers.ValidationError as error:
            raise http_error(
                403, f"Not enough permissions to aggregate on fields: {error}"
            ) from error


def _authenticates(request: Any) -> bool:
    roots = getattr(request.registry, "_root_resources", {})
    return any(root.auth for root in roots.values())
