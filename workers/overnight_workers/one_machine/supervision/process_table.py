"""The processes of this machine, as `/proc` tells them: who lives, who belongs to whom, and how to end them.

A process is known by its pid *and* its start in clock ticks since boot. A pid alone is reused; a start as
wall-clock time (psutil's `create_time`) moves when the clock is set.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True)
class Entry:
    """One process: its identity (pid, started) and its place in the tree."""

    pid: int
    started: int
    parent: int
    session: int


def boot_id() -> str:
    """The name of this boot of the machine; ticks of another boot mean nothing."""
    return (_PROC / "sys/kernel/random/boot_id").read_text().strip()


def entry(pid: int) -> Entry | None:
    """The living process of that pid. A zombie is not living."""
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name (field 2) may hold spaces and brackets: count from the last closing bracket.
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    return Entry(pid=pid, started=int(fields[19]), parent=int(fields[1]), session=int(fields[3]))


def all_entries() -> list[Entry]:
    """Every living process this user can see."""
    pids = (int(path.name) for path in _PROC.iterdir() if path.name.isdigit())
    return [process for pid in pids if (process := entry(pid)) is not None]


def processor_ticks(whom: Iterable[Entry]) -> int:
    """How much processor time these have used so far, in clock ticks."""
    total = 0
    for who in whom:
        with contextlib.suppress(OSError):
            stat = (_PROC / str(who.pid) / "stat").read_bytes()
            fields = stat[stat.rindex(b")") + 2 :].split()
            total += int(fields[11]) + int(fields[12])
    return total


def is_alive(who: Entry) -> bool:
    """Whether that very process still lives (not another with its pid)."""
    now = entry(who.pid)
    return now is not None and now.started == who.started


def family(leader_pid: int, leader_started: int) -> list[Entry]:
    """The leader of a session, the session's members, and their descendants; the leader first if it lives.

    The leader may be dead: the kernel doesn't give out a pid that still names a session, so members whose
    session is that number are its own, unless a younger leader took the number after all of them had gone.
    """
    table = all_entries()
    if any(who.pid == leader_pid and who.started != leader_started for who in table):
        return []
    members = {who.pid: who for who in table if who.pid == leader_pid}
    members |= {who.pid: who for who in table if who.session == leader_pid and who.started >= leader_started}
    # Descendants in sessions of their own: each Postgres backend is one.
    grown = True
    while grown:
        children = [who for who in table if who.parent in members and who.pid not in members]
        members |= {who.pid: who for who in children}
        grown = bool(children)
    return list(members.values())


def with_program_in(directory: Path, programs: Iterable[str]) -> list[Entry]:
    """Processes that run one of these programs with this directory as their working directory."""
    try:
        there = directory.stat()
    except FileNotFoundError:
        return []
    names = {name + suffix for name in programs for suffix in ("", " (deleted)")}
    processes = []
    for who in all_entries():
        # Somebody else's process can't be read, or has just ended: either way not ours.
        with contextlib.suppress(OSError):
            proc = _PROC / str(who.pid)
            cwd = (proc / "cwd").stat()
            same = (cwd.st_dev, cwd.st_ino) == (there.st_dev, there.st_ino)
            if same and (proc / "exe").readlink().name in names:
                processes.append(who)
    return processes


def send(who: Entry, number: signal.Signals) -> None:
    """Signal that very process; nothing happens if it has gone, whoever has its pid now."""
    try:
        handle = os.pidfd_open(who.pid)
    except ProcessLookupError:
        return
    try:
        # The handle pins the process, so look again: from here on it can't be another.
        if is_alive(who):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def wait_until_gone(processes: Iterable[Entry], seconds: float) -> list[Entry]:
    """Wait until all of them have ended; returns those that live when the time is up."""
    deadline = time.monotonic() + seconds
    left = list(processes)
    for who in left:
        try:
            handle = os.pidfd_open(who.pid)
        except ProcessLookupError:
            continue
        try:
            if is_alive(who):
                select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
        finally:
            os.close(handle)
    return [who for who in left if is_alive(who)]
