"""Run a program of nefertari's: ``python -m nefertari_engine_base.compat PROGRAM ...``.

``nefertari.index`` imports what the stand-ins replace before it reads any settings.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

from nefertari_engine_base.compat import standins


def main() -> None:
    """Run the program that the first argument names, with the others."""
    names = {entry.name: entry for entry in entry_points(group="console_scripts")}
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    if wanted not in names:
        raise SystemExit(
            f"{wanted!r} is no installed program. Usage: python -m "
            f"nefertari_engine_base.compat nefertari.index -c app.ini ..."
        )
    standins.install()
    program = names[wanted].load()
    del sys.argv[0]
    sys.exit(program())


if __name__ == "__main__":
    main()
