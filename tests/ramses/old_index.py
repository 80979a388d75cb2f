"""An index in memory, in the place of the server that nefertari 0.7 was made for.

Documents of nefertari-sqla are stored as its serializer writes them, and found by what
the scenario asks: whole values, sorting, pages.
"""

from __future__ import annotations

import json
from typing import Any

DOCUMENTS: dict[str, dict[str, Any]] = {}


class Index:
    """The members of nefertari's ``ES`` that reach a server."""

    @classmethod
    def setup(cls, settings: Any) -> None:
        cls.settings = settings.mget("elasticsearch")
        cls.settings.setdefault("chunk_size", 500)

    @classmethod
    def create_index(cls, index_name: Any = None) -> None:
        pass

    @classmethod
    def setup_mappings(cls, force: bool = False) -> None:
        pass

    def index(self, documents: Any, request: Any = None, **_: Any) -> None:
        from nefertari import engine

        for document in documents if isinstance(documents, list) else [documents]:
            # Its own method asks simplejson, whose releases of today fail on it.
            default = engine.ESJSONSerializer().default
            stored = json.loads(json.dumps(document, default=default))
            DOCUMENTS.setdefault(self.doc_type, {})[str(stored["_pk"])] = stored

    def delete(self, ids: Any, request: Any = None) -> None:
        for id_ in ids if isinstance(ids, list) else [ids]:
            DOCUMENTS.get(self.doc_type, {}).pop(str(id_), None)

    def get_item(self, **parameters: Any) -> Any:
        from nefertari.json_httpexceptions import JHTTPNotFound
        from nefertari.utils import dict2obj

        required = parameters.pop("_raise_on_empty", True)
        found = DOCUMENTS.get(self.doc_type, {}).get(str(parameters["id"]))
        if found is None and required:
            raise JHTTPNotFound(f"'{self.doc_type}({parameters})' resource not found")
        return dict2obj(dict(found)) if found else None

    def get_collection(self, **parameters: Any) -> Any:
        from nefertari.elasticsearch import _ESDocs
        from nefertari.utils import dict2obj, process_limit

        found = [
            dict(document)
            for name in sorted(self.doc_type.split(","))
            for document in DOCUMENTS.get(name, {}).values()
            if _matches(document, parameters)
        ]
        for key in reversed([k for k in parameters.get("_sort", "").split(",") if k]):
            name = key.lstrip("-")
            found.sort(key=lambda d, n=name: d.get(n), reverse=key.startswith("-"))
        if "_count" in parameters:
            return len(found)
        limit = parameters.get("_limit", len(found))
        start, limit = process_limit(
            parameters.get("_start"), parameters.get("_page"), limit
        )
        fields = [f for f in parameters.get("_fields", "").split(",") if f]
        page = _ESDocs()
        for document in found[start : start + limit]:
            chosen = {k: v for k, v in document.items() if not fields or k in fields}
            page.append(dict2obj({**chosen, "_score": 1, "_type": document["_type"]}))
        page._nefertari_meta = {
            "total": len(found),
            "start": start,
            "fields": fields,
            "took": 0,
        }
        return page


def _matches(document: dict[str, Any], parameters: dict[str, Any]) -> bool:
    for name, value in parameters.items():
        if name.startswith("_"):
            continue
        actual = document["_pk"] if name == "id" else document.get(name)
        wanted = [str(v) for v in value] if isinstance(value, list) else [str(value)]
        if str(actual) not in wanted:
            return False
    return True


def install() -> None:
    """Put it in place."""
    from nefertari.elasticsearch import ES

    for name, member in vars(Index).items():
        if not name.startswith("__"):
            setattr(ES, name, member)
