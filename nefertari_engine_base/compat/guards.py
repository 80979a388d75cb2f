"""nefertari-guards 0.2, which stores an access control list with each object.

Ramses includes it with ``database_acls = true``. It looks for the field of its lists in
a module of its own that has the name of the engine; ours is put there by
:func:`install`: ``contract.acl`` of the primary engine. How it filters is replaced by
the filters of this package, which it reaches by the ``ES`` class that it inherits from:

* the first entry that matches decides, as it does in Pyramid. Its own filter took an
  entry that denies for stronger than any that allows, so that ``deny everyone`` at the
  end of a list hid an object from everybody;
* several collections at once (``/users,articles``) are filtered, too, and so is what
  is embedded in the answer to a write;
* what a request may change or delete in a collection is asked of the primary as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from pyramid.config import Configurator
from pyramid.settings import asbool, aslist

from nefertari_engine_base.exceptions import ConfigurationError
from nefertari_engine_base.values.access import Access, Entry

#: The setting of Ramses that includes nefertari-guards.
SETTING = "database_acls"


def is_wanted(settings: Mapping[str, Any]) -> bool:
    """Whether objects have access control lists."""
    return bool(asbool(settings.get(SETTING)))


def install(settings: Mapping[str, Any]) -> None:
    """Let nefertari-guards find the field of its lists.

    :raises ConfigurationError: if it is not installed, or the primary engine has no
        such field.
    """
    engines = settings["nefertari.engine"]
    try:
        import nefertari_guards

        field = import_module(f"{aslist(engines)[0]}.contract.acl")
    except ImportError as error:
        raise ConfigurationError(
            f"{SETTING} = true needs nefertari-guards (pip install --no-deps "
            f"nefertari-guards==0.2.0), and an engine that stores access control "
            f"lists: {error}"
        ) from error
    # It resolves the whole setting as one dotted name, spaces and all.
    *path, last = engines.split(".")
    place: Any = nefertari_guards
    for name in path:
        if not hasattr(place, name):
            setattr(place, name, SimpleNamespace())
        place = getattr(place, name)
    setattr(place, last, field)


def access_of(principals: Iterable[Any], permission: str) -> Access:
    """Who asks, by the principals of a request, and for which permission.

    Lists hold text alone: a principal that is none is in no list.
    """
    from nefertari_guards.base import ACLEncoderMixin

    names = map(ACLEncoderMixin._stringify_principal, principals)
    every = ACLEncoderMixin.PERMISSIONS_INVERTED
    return Access(
        frozenset(name for name in names if isinstance(name, str)),
        frozenset({permission, *every}),
    )


def entry_of(body: Any) -> Entry:
    """The entry that ``find_by_ace`` looks for, from the search that it writes.

    :raises ValueError: for any other search.
    """
    try:
        nested = body["query"]["filtered"]["filter"]["nested"]
        terms = [term["term"] for term in nested["filter"]["bool"]["must"]]
        parts = {name: part for term in terms for name, part in term.items()}
        return Entry(**{name.removeprefix("_acl."): parts[name] for name in parts})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            "Searches in the syntax of Elasticsearch are not run here; use the "
            "parameters of get_collection, or Model.secondary.search()."
        ) from error


def include_several(config: Configurator) -> None:
    """Add nefertari's route of several collections, with a view that filters."""
    from nefertari.polymorphic import PolymorphicACL, PolymorphicESView
    from nefertari_guards.view import ACLFilterViewMixin

    view = type("FilteredPolymorphicView", (ACLFilterViewMixin, PolymorphicESView), {})
    root = config.get_root_resource()
    root.add(
        "nef_polymorphic", "{collections:.+,.+}", view=view, factory=PolymorphicACL
    )
