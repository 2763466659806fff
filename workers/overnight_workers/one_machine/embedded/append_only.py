"""Mending of Redis's append-only files after a crash, so that nothing keeps the server from starting.

The server itself forgives a file that is cut short. It refuses to start over zeros at the end (a machine that
lost power), a damaged base or a missing file. An empty Redis is better than none: the work is rows in
Postgres, and the messages are sent again.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

_DIRECTORY = "appendonlydir"


def mend(data_dir: Path, server: Path) -> None:
    """Cut what is half-written off the last file; set all files aside if that isn't enough."""
    directory = data_dir / _DIRECTORY
    if directory.exists() and not _is_usable(directory, server):
        directory.rename(data_dir / f"{_DIRECTORY}.damaged-{time.time_ns()}")


def _is_usable(directory: Path, server: Path) -> bool:
    try:
        (manifest,) = directory.glob("*.manifest")
    except ValueError:
        # Killed before its first manifest was in place: nothing was ever confirmed from here.
        return False
    files = [line.split() for line in manifest.read_text(errors="replace").splitlines() if line.strip()]
    if not all(len(words) >= 6 and words[0] == "file" for words in files):
        return False
    bases = [directory / words[1] for words in files if words[5] == "b"]
    increments = [directory / words[1] for words in files if words[5] == "i"]
    # One by one and not through the manifest: Valkey 9's checker doesn't know its own base files' signature.
    if not all(_check(server, "rdb" if base.suffix == ".rdb" else "aof", base) for base in bases):
        return False
    if not all(_check(server, "aof", file) for file in increments[:-1]):
        return False
    return all(_check(server, "aof", file) or _check(server, "aof", "--fix", file) for file in increments[-1:])


def _check(server: Path, kind: str, *arguments: str | Path) -> bool:
    # The server is its own checker, when it is called by that name.
    name = server.name.replace("-server", f"-check-{kind}")
    return (
        subprocess.run(
            [name, *arguments],
            executable=server,
            input=b"y\n",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        ).returncode
        == 0
    )
