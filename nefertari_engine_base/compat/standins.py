"""What is put in the place of parts of nefertari that today's packages have broken.

* ``nefertari.elasticsearch`` cannot be imported beside a client of version 8 or later,
  and speaks to servers before 5. The whole module is replaced by
  :mod:`nefertari_engine_base.compat.elasticsearch`. ``ramses`` imports it before it
  includes any engine.
* ``pyramid.security.authenticated_userid``, a function, has become an attribute of
  requests; nefertari's models of users import it.
"""

from __future__ import annotations

import sys
from typing import Any

from pyramid import security

_MODULE = "nefertari.elasticsearch"


def install() -> None:
    """Put all of them in place; safe to call again."""
    _restore_authenticated_userid()
    _replace_elasticsearch()


def _restore_authenticated_userid() -> None:
    if not hasattr(security, "authenticated_userid"):
        security.authenticated_userid = _authenticated_userid


def _authenticated_userid(request: Any) -> Any:
    return request.authenticated_userid


def _replace_elasticsearch() -> None:
    import nefertari

    from nefertari_engine_base.compat import elasticsearch as ours

    theirs: Any = sys.modules.get(_MODULE)
    if theirs is None:
        sys.modules[_MODULE] = nefertari.elasticsearch = ours
    elif theirs is not ours:
        # An old client lets an application import the module before it is configured.
        # Who has the class from there already, has to have the same one changed.
        for name, member in vars(ours.ES).items():
            if not name.startswith("__") or name == "__init__":
                setattr(theirs.ES, name, member)
        theirs.includeme, theirs._ESDocs = ours.includeme, ours._ESDocs
