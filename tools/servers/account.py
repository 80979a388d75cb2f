"""The user that a server runs as, since servers refuse to run as root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tools.servers.errors import ServersError


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int

    @classmethod
    def for_server(cls, name_when_root: str) -> Self:
        """Return the named user when this process is root's, else its own user.

        :raises ServersError: if there is no such user.
        """
        if os.geteuid() != 0:
            return cls("", os.geteuid(), os.getegid())
        try:
            entry = pwd.getpwnam(name_when_root)
        except KeyError:
            raise ServersError(
                f"There is no user {name_when_root!r}, whom root runs this server as. "
                f"Create it with `useradd --system {name_when_root}`, or run this "
                f"command as an ordinary user."
            ) from None
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    @property
    def is_current(self) -> bool:
        """Whether it is the user of this process."""
        return self.uid == os.geteuid()

    def own(self, folder: Path) -> None:
        """Make the folder and all that is in it this user's."""
        if not self.is_current:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def check_reach(self, folder: Path, setting: str) -> None:
        """Refuse a folder that this user cannot get at.

        :raises ServersError: which names the folder in the way, and ``setting``, the
            environment variable that moves it.
        """
        if self.is_current:
            return
        for parent in filter(Path.exists, (folder, *folder.parents)):
            status = parent.stat()
            if status.st_uid != self.uid and not status.st_mode & stat.S_IXOTH:
                raise ServersError(
                    f"The user {self.name!r}, whom root runs this server as, cannot "
                    f"read {folder}, because {parent} is closed to others. Set "
                    f"{setting} to a folder that everybody can read."
                )
