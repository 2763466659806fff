"""What a check-up finds, and the checks that its short way and its thorough way share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from overnight_models.quantities import spoken
from overnight_workers.settings import Lane, Settings

if TYPE_CHECKING:
    from overnight_models.ledger.lock_room import LockRoom

OK: Final = "ok"
NOTE: Final = "note"
"""Worth knowing; nobody is needed."""
FAULT: Final = "fault"
"""Somebody is needed."""
UNKNOWN: Final = "unknown"
"""It can't be told from here, for instance because a server doesn't answer."""

_KEPT: Final = ("deliveries", "bodies", "outcomes", "keys", "money")
_CLOCKS_APART_S: Final = 5.0
_WORK_AT_ONCE: Final = 4
"""Of so many sessions one has locks, where all are busy: the others compute, or speak to the API."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    check: str
    state: str
    """OK, NOTE, FAULT or UNKNOWN."""
    found: str
    do: str = ""
    """What to do about it."""


def deployment(here: str, of_the_workers: str | None) -> Finding:
    """Which deployment the ledger is of, and whether the workers' is the same."""
    if of_the_workers in (None, here):
        return Finding("deployment", OK, here)
    return Finding(
        "deployment",
        FAULT,
        f"the ledger here is of {here}, that of the workers at this Redis of {of_the_workers}",
        "one of OVERNIGHT_DATABASE_URL and OVERNIGHT_REDIS_URL leads elsewhere, here or for the workers",
    )


def relays(standing: Mapping[str, str]) -> list[Finding]:
    """How it stands with each relay; what is wrong with one is an alarm."""
    return [Finding(f"relay {name}", OK, words) for name, words in sorted(standing.items())]


def clock(apart_s: float) -> Finding:
    """The clock of this host beside the database's."""
    if apart_s < _CLOCKS_APART_S:
        return Finding("clock", OK, f"{apart_s:.2f} s apart from the database's")
    return Finding("clock", FAULT, f"{apart_s:.0f} s apart from the database's", "set the clocks by NTP")


def lock_room(room: LockRoom) -> Finding:
    """Whether Postgres has room for the locks of those who work at once."""
    said = (
        f"a statement that reads all partitions takes {room.of_one:,} locks, and there is room for {room.in_all:,}:"
        f" for {room.at_once:,} such statements at once, with {room.sessions} sessions connected"
    )
    if room.at_once >= room.sessions:
        return Finding("locks", OK, said)
    do = f"set max_locks_per_transaction = {room.wanted_for_each} (it is {room.for_each}), and restart Postgres"
    return Finding("locks", NOTE if room.at_once >= room.sessions / _WORK_AT_ONCE else FAULT, said, do)


def kept(current: Settings, waits_for: str | None) -> list[Finding]:
    """What is kept, and until when. waits_for: why something older than that is still there."""
    lanes = [f"{name}: {_kept_by(lane)}" for name, lane in current.lanes.items()]
    findings = [Finding("kept", OK, "; ".join(lanes))]
    if waits_for is not None:
        do = "end what isn't done: `overnight items --delivery dead`, `overnight replay`, `overnight cancel --older`"
        findings.append(Finding("kept too long", NOTE, waits_for, do))
    return findings


def _kept_by(lane: Lane) -> str:
    """How long a lane keeps what."""
    times = {layer: getattr(lane, f"keep_{layer}") for layer in _KEPT}
    if not any(times.values()):
        return "everything for ever"
    said = (f"{layer} {'for ever' if kept_s is None else spoken(kept_s)}" for layer, kept_s in times.items())
    return f"{', '.join(said)}, after the outcome"
