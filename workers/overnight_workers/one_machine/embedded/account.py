"""The account PostgreSQL runs as when Overnight runs as root, which PostgreSQL refuses to be."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from pathlib import Path

from overnight_workers.one_machine.embedded.errors import EmbeddedServerError
from overnight_workers.one_machine.supervision.leash import Account

_NAME = "overnight"


def account_for_postgres(cluster: Path) -> Account | None:
    """The cluster's owner, else the system user `overnight`, created if need be.

    None for an ordinary user, who needs no other.
    """
    if os.geteuid() != 0:
        return None
    if cluster.exists() and (owner := cluster.stat()).st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    try:
        account = pwd.getpwnam(_NAME)
    except KeyError:
        account = _create()
    return Account(account.pw_uid, account.pw_gid)


def _create() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _NAME]
    try:
        # fails too when another process has just created it
        subprocess.run(command, check=False, capture_output=True, text=True)
        return pwd.getpwnam(_NAME)
    except (OSError, KeyError) as error:
        raise EmbeddedServerError(
            "PostgreSQL doesn't run as root, and the system user it would run as can't be created. "
            f"Run Overnight as an ordinary user, or create it: {' '.join(command)}"
        ) from error


def open_the_way(path: Path) -> None:
    """Let every user pass through the directories above `path` (search only: nothing can be listed or read).

    Root's own directories are closed to others, and that is where root keeps data and virtual environments.
    """
    for directory in path.resolve().parents:
        mode = stat.S_IMODE(directory.stat().st_mode)
        if not mode & stat.S_IXOTH:
            directory.chmod(mode | stat.S_IXOTH)
