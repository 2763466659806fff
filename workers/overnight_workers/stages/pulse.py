"""The pulse: a stage that runs says so in the ledger, so that its silence can be seen, and so does one that fails."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from overnight_models.errors import PermanentError, TransientError
from overnight_models.ledger import counters
from overnight_models.ledger.bodies.encryption import KEYLESS_PAUSE_S, NoKey
from overnight_models.ledger.database import DatabaseFull
from overnight_models.ledger.operators import failures
from overnight_models.ledger.operators import pulse as ledger
from overnight_workers import process
from overnight_workers.telemetry import counted, logs

_EVERY_S: Final = 10.0
"""How often one process says it: often enough for an alarm within two minutes, too seldom to be felt."""

_GRACE_S: Final = 60.0
"""How long after its next try was due a failure still counts."""
_SHOWN: Final = 500
"""Characters of an error; the rest is in the log."""
_KNOWN: Final = (DatabaseFull, OSError, NoKey)
_MOST_UNNOTED: Final = 100
"""Failures that one process remembers while the ledger takes none."""

_NO_CHANCE: Final = 3
"""Workers that began one batch and didn't come to its end."""

log = logs.get(__name__)


class Unfinished(PermanentError):
    """Workers begin the same work again and again, and none comes to its end."""


def at_work(stage: str) -> None:
    """Say that a stage runs. Said in the loop of whatever takes long, too. Raises DatabaseUnavailable."""
    said_at, now = process.pulse_said_at(), time.monotonic()
    if now - said_at.get(stage, float("-inf")) < _EVERY_S:
        return
    unnoted = process.unnoted_failures()
    of_stage = {key: failure for key, failure in sorted(unnoted.items()) if key[0] == stage}
    with process.database().transaction() as connection:
        for (_, subject), failure in of_stage.items():
            failures.note(connection, stage, subject, failure.why, lasts_s=failure.lasts_s)
        failing = ledger.note_run(connection, stage)
        if written := +counted.unwritten():
            counters.add(connection, written)
    counted.unwritten().subtract(written)
    process.failing()[stage] = set(failing)
    for key in of_stage:
        unnoted.pop(key, None)
    said_at[stage] = now


def is_our_own(error: BaseException) -> bool:
    """Whether a failure is one that a person has to mend, and not a server that is away: that has alarms of its own."""
    return isinstance(error, DatabaseFull) or not isinstance(error, TransientError)


def failed(
    stage: str, error: BaseException, *, about: str = "", again_in_s: float = 60.0, is_guess: bool = False
) -> None:
    """Say that a stage failed at something for a reason of our own: an alarm until that goes well. Never raises.

    What the ledger doesn't take now, this process says as soon as it does: a full disk would be known by nobody.

    about: what it failed at, as `batch 7`: its kind, a word that the code knows, then which; empty: a task as a whole.
    again_in_s: when it is tried again; where it isn't, the alarm ends a little later.
    is_guess: what failed there last, where that is known, stays the alarm's reason.
    """
    if not is_our_own(error):
        return
    why, lasts_s, unnoted = said(error), again_in_s + _GRACE_S, process.unnoted_failures()
    process.failing().setdefault(stage, set()).add(about)
    # of a full disk it is known where
    log.error("a stage fails", stage=stage, at=about, why=why, exc_info=None if isinstance(error, _KNOWN) else error)
    try:
        with process.database().transaction() as connection:
            failures.note(connection, stage, about, why, lasts_s=lasts_s, keep_known=is_guess)
        unnoted.pop((stage, about), None)
    except (TransientError, SQLAlchemyError) as refused:
        if not is_guess and len(unnoted) < _MOST_UNNOTED:
            unnoted[stage, about] = process.Failure(why, lasts_s)
        log.warning("a failure can't be noted in the ledger", stage=stage, error=str(refused))


def succeeded(stage: str, about: str = "") -> None:
    """What a stage may have failed at has gone well: its alarm is over at once, and no other's. Never raises.

    Costs nothing where this process knows of no failure at it.

    about: as it was said of the failure; empty: a task as a whole.
    """
    known = process.failing().get(stage, set())
    if about not in known:
        return
    process.unnoted_failures().pop((stage, about), None)
    try:
        with process.database().transaction() as connection:
            failures.end(connection, stage, about)
        known.discard(about)
    except (TransientError, SQLAlchemyError) as refused:
        log.warning("a success can't be noted in the ledger", stage=stage, error=str(refused))


def lanes_went(stage: str, well: Collection[str], keyless: Mapping[str, str]) -> None:
    """Say which lanes wait for an encryption key, and of which a stage could read what it wanted. Never raises.

    well: lanes of which it could. keyless: why the others wait, by lane.
    """
    for lane, why in keyless.items():
        failed(stage, NoKey(why), about=f"lane {lane}", again_in_s=KEYLESS_PAUSE_S)
    for lane in well:
        if lane not in keyless:
            succeeded(stage, f"lane {lane}")


def begun_again(stage: str, about: str, times: int, last_error: str | None) -> None:
    """Say, after a few times, that workers begin the same work again and again. Never raises.

    last_error: the last that is known of it; None: it may be that they are killed.
    """
    if times < _NO_CHANCE:
        return
    why = (
        f"last: {last_error}" if last_error else "and no error is known: were they killed, for want of memory? (dmesg)"
    )
    failed(stage, Unfinished(f"{times} workers began it and none came to its end, {why}"), about=about, is_guess=True)


@dataclass
class Tried:
    """A part of a stage's work that may have failed."""

    error: Exception | None = None


@contextmanager
def alone(
    stage: str, about: str, *, again_in_s: float = 60.0, expected: tuple[type[Exception], ...] = ()
) -> Iterator[Tried]:
    """Do a part by itself: where it fails for a reason of our own, that is said, and the other parts go on.

    expected: what is no failure of our own, and is raised, as every TransientError is.
    """
    tried = Tried()
    try:
        yield tried
    except Exception as error:
        if isinstance(error, (TransientError, *expected)):
            raise
        tried.error = error
        failed(stage, error, about=about, again_in_s=again_in_s)
    else:
        succeeded(stage, about)


def said(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_SHOWN]
