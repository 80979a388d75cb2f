"""Docstrings of this project as Sphinx reads them, and links by short names.

A docstring lists attributes as ``:attr name:``, and may end its one sentence with
``:raises Error:``. It refers to a class or method by the end of its dotted name, as
people do, and as annotations do that are only imported for type checkers.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_RAISES_IN_LINE = re.compile(r"^(?P<sentence>\s*[^\s:].*\S)\s+(?P<field>:raises .*)$")

_INTERFACE = re.compile(r"<InterfaceClass ([\w.]+)>")

_OF_A_PACKAGE = re.compile(
    r"^(nefertari_engine_base\.(?:interfaces|values))\.[a-z]\w*\."
)


def rewrite(lines: list[str]) -> None:
    """Change the lines of a docstring in place."""
    rewritten: list[str] = []
    in_field = False
    for line in lines:
        in_field = in_field and bool(line.strip())
        if found := _RAISES_IN_LINE.match(line):
            rewritten += [found["sentence"], "", found["field"]]
            in_field = True
        elif in_field:
            rewritten.append(f"    {line.strip()}")
        else:
            rewritten.append(re.sub(r"^(\s*):c?(attr|var) ", r"\1:ivar ", line))
    lines[:] = rewritten


def _rewrite_docstring(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    rewrite(lines)


def _name_interfaces(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returned: str | None,
) -> tuple[str | None, str | None]:
    """Interfaces by their names, and not as Python represents the instances."""
    return _without_representations(signature), _without_representations(returned)


def _skip_aliases(
    app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any
) -> bool | None:
    """Fields of named tuples, of which Python says nothing but their numbers."""
    docstring = getattr(obj, "__doc__", None) or ""
    return True if docstring.startswith("Alias for field number") else None


def _without_representations(text: str | None) -> str | None:
    if text is None:
        return None
    # A default that is made anew each time has no representation that Python reads.
    return _INTERFACE.sub(r"~\1", text).replace("<factory>", "...")


def _resolve(app: Sphinx, env: Any, node: Any, content: Any) -> Any:
    """A link to the one object whose dotted name ends like this."""
    if node.get("refdomain") != "py":
        return None
    target = str(node.get("reftarget", "")).lstrip(".")
    if interface := _INTERFACE.search(target):
        # The type of a property, which no other event shows.
        target = interface[1]
        content = nodes.Text(target.rpartition(".")[2])
    # Documented as what the package offers, whichever of its modules it is in.
    target = _OF_A_PACKAGE.sub(r"\1.", target)
    domain = env.get_domain("py")
    names = [
        name
        for name, entry in domain.objects.items()
        if (name == target or name.endswith(f".{target}")) and not entry.aliased
    ]
    if len(names) != 1:
        return None
    role = domain.role_for_objtype(domain.objects[names[0]].objtype) or "obj"
    return domain.resolve_xref(
        env, node.get("refdoc"), app.builder, role, names[0], node, content
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _rewrite_docstring)
    app.connect("autodoc-process-signature", _name_interfaces)
    app.connect("autodoc-skip-member", _skip_aliases)
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
