"""Runs one command on a leash: it gets a signal when the process that started it dies, even by `kill -9`.

    python -I -S leash.py PARENT_PID SIGNAL UID GID COMMAND [ARGUMENT ...]

It becomes the command (exec), so nothing stays in between. The kernel sends the signal when the *thread* that
forked ends: start leashed commands from a thread that lives as long as they should. A program of its own and
not a `preexec_fn`: Python code between fork and exec of a threaded process can deadlock. Imports the standard
library only, since it runs without site-packages.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

_PR_SET_PDEATHSIG = 1
_KEEP = -1
_CANNOT_RUN = 127  # what a shell says


class Account(NamedTuple):
    """A user and group to run as."""

    uid: int
    gid: int


def leashed(argv: Sequence[str], death_signal: signal.Signals, account: Account | None = None) -> list[str]:
    """The command line that runs `argv` on a leash held by this process, as `account` (root only)."""
    uid, gid = account or (_KEEP, _KEEP)
    words = [sys.executable, "-I", "-S", __file__, os.getpid(), int(death_signal), uid, gid, *argv]
    return [str(word) for word in words]


def put_on(parent: int, death_signal: int) -> None:
    """Put this process on a leash that its parent holds. Raises SystemExit if that one has died meanwhile."""
    try:
        prctl(_PR_SET_PDEATHSIG, death_signal)
    except OSError as error:
        sys.exit(f"no parent-death signal: {error.strerror}")
    if os.getppid() != parent:  # it died before the leash was on
        sys.exit("the process that started this one is gone")


def prctl(option: int, value: object) -> None:
    """Tell Linux something about this process. Raises OSError."""
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _become(parent: int, death_signal: int, account: Account, argv: list[str]) -> NoReturn:
    # Python ignores these at its start, and what is ignored stays so across exec.
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if account.uid != _KEEP:
        os.setgroups([])
        os.setgid(account.gid)
        os.setuid(account.uid)
    put_on(parent, death_signal)  # after setuid, which clears it
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        print(f"{argv[0]} can't be run: {error.strerror}", file=sys.stderr)
        sys.exit(_CANNOT_RUN)


if __name__ == "__main__":
    _become(int(sys.argv[1]), int(sys.argv[2]), Account(int(sys.argv[3]), int(sys.argv[4])), sys.argv[5:])
