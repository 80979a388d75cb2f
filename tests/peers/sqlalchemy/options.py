"""What one run is asked to do; given to its process by the environment."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

_VARIABLE = "NEFERTARI_PEERS_OPTIONS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One run of pytest.

    :attr records: file that gets a line of JSON for each test.
    :attr follows: whether models have documents; otherwise only outcomes are written
        down.
    :attr embeds: relations are embedded, and each commit delivers. Otherwise documents
        have all columns, and are delivered when the test is over.
    :attr capture: ``nefertari.capture``; ``None`` leaves the setting out.
    :attr shows_statements: SQLAlchemy's assertions see our statements, too.
    :attr drops: every second document is not written: the comparison has to notice.
    """

    records: str
    follows: bool = True
    embeds: bool = False
    capture: str | None = None
    shows_statements: bool = False
    drops: bool = False

    def environment(self) -> dict[str, str]:
        """The variables that give the options to a process."""
        return {_VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls) -> Options:
        """The options of this process."""
        return cls(**json.loads(os.environ[_VARIABLE]))

    @property
    def settings(self) -> dict[str, str]:
        """The application's settings."""
        found = {"nefertari.sync": "inline" if self.embeds else "worker"}
        if self.capture is not None:
            found["nefertari.capture"] = self.capture
        return found
