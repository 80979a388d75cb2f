"""Nefertari's writes of a primary, whichever it is: what their parameters mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyramid.settings import asbool

from nefertari_engine_base.compat.errors import bad_request
from nefertari_engine_base.compat.iterables import changed_list, changed_object


class Writing:
    """A mixin: the methods of models that write.

    The last ``request`` that a method was given is kept as ``_request``. What the
    primary does itself are the methods that raise here.
    """

    __not_inherited_by_secondary__ = True

    _request: Any = None

    def save(self, request: Any = None) -> Any:
        """Insert the row, or update it. Returns the instance.

        :raises JHTTPConflict: if there is such a row.
        :raises JHTTPBadRequest: for a value that the database refuses.
        """
        raise NotImplementedError

    def update(self, params: Mapping[str, Any], request: Any = None) -> Any:
        """Change fields, and update the row. Returns the instance.

        The primary key is left as it is; lists and objects are changed as by
        :meth:`update_iterables`. Errors as of :meth:`save`, and for unknown fields.
        """
        cls: Any = type(self)
        cls.check_fields_allowed(params)
        for name, value in params.items():
            path, _, suffix = name.partition("__")
            if path == cls.pk_field():
                continue
            if cls._holds(path) is not None:
                self.update_iterables(value, path, unique=True, save=False)
            else:
                setattr(self, path, asbool(value) if suffix == "bool" else value)
        return self.save(request)

    def update_iterables(
        self,
        params: Any,
        attr: str,
        unique: bool = False,
        value_type: Any = None,
        save: bool = True,
        request: Any = None,
    ) -> None:
        """Change a field that holds a list or an object.

        :param params: what to add, and with ``-`` before it what to take away; ``None``
            and ``""`` empty it.
        :param unique: add no item that is there.
        :param save: save the instance, too.
        :raises JHTTPBadRequest: if nothing is named to add or take away from a list.
        """
        current, holds = getattr(self, attr), self._holds(attr)
        if holds is dict:
            setattr(self, attr, changed_object(current, params))
        elif holds is list:
            setattr(self, attr, changed_list(current, params, unique))
        if save:
            self.save(request)

    @classmethod
    def get_or_create(cls, **params: Any) -> tuple[Any, bool]:
        """The row that matches, else a new one; and whether it is new.

        :param defaults: fields of the new one, besides the parameters.
        :raises JHTTPBadRequest: if several match.
        """
        defaults = params.pop("defaults", None) or {}
        params.pop("_limit", None)
        model: Any = cls
        found = list(model.get_collection(_limit=2, **params))
        if len(found) > 1:
            raise bad_request("Bad or Insufficient Params")
        if found:
            return found[0], False
        return model(**{**defaults, **params}).save(), True

    @classmethod
    def _holds(cls, name: str) -> type | None:
        """``list`` or ``dict``, for a stored field of such values."""
        raise NotImplementedError
