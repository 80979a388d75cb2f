"""The directive ``zope-interfaces``: every interface of a module, from its source.

autodoc knows no interfaces: to Python they are instances, and not classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from inspect import cleandoc
from typing import Any

import docstrings
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from zope.interface.interface import InterfaceClass, Method


class ZopeInterfaces(SphinxDirective):
    """``.. zope-interfaces:: package.module``."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Called by docutils."""
        module = import_module(self.arguments[0])
        lines = [line for text in _module_lines(module) for line in text.split("\n")]
        parent = nodes.Element()
        self.state.nested_parse(StringList(lines, module.__name__), 0, parent)
        return parent.children


def _module_lines(module: Any) -> Iterator[str]:
    yield f".. py:currentmodule:: {module.__name__}"
    yield ""
    for name, interface in vars(module).items():
        if isinstance(interface, InterfaceClass) and _is_own(interface, module):
            bases = ", ".join(
                base.__name__ for base in interface.__bases__ if _is_own(base, module)
            )
            yield f".. py:class:: {name}" + (f"({bases})" if bases else "")
            yield ""
            yield from _indented(interface.__doc__, 1)
            for attribute_name in interface.names():
                yield from _member(attribute_name, interface.direct(attribute_name))


def _is_own(interface: InterfaceClass, module: Any) -> bool:
    """Whether the module, or the package, is where the interface is from."""
    return f"{interface.__module__}.".startswith(f"{module.__name__}.")


def _member(name: str, attribute: Any) -> Iterator[str]:
    if isinstance(attribute, Method):
        yield f"   .. py:method:: {name}{attribute.getSignatureString()}"
    else:
        yield f"   .. py:attribute:: {name}"
    yield ""
    yield from _indented(attribute.__doc__, 2)


def _indented(text: str | None, depth: int) -> Iterator[str]:
    lines = cleandoc(text or "").split("\n")
    docstrings.rewrite(lines)
    for line in lines:
        yield "   " * depth + line if line else ""
    yield ""


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("zope-interfaces", ZopeInterfaces)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
