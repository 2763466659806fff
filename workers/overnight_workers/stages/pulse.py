"""The pulse: a stage that runs says so in the ledger, so that its silence can be seen, and so does one that fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from overnight_models.errors import PermanentError, TransientError
from overnight_models.ledger.database import DatabaseFull
from overnight_models.ledger.operators import pulse as ledger
from overnight_workers import logs, process

_EVERY_S: Final = 10.0
"""How often one process says it: often enough for an alarm within two minutes, too seldom to be felt."""

_GRACE_S: Final = 60.0
"""How long after its next try was due a failure still counts."""
_SHOWN: Final = 500
"""Characters of an error; the rest is in the log."""
_KNOWN: Final = (DatabaseFull, OSError)

DEATHS: Final = 3
"""Workers that died over one batch: then it isn't chance."""

log = logs.get(__name__)


class WorkerDied(PermanentError):
    """Workers die again and again over the same work."""


def at_work(stage: str) -> None:
    """Say that a stage runs. Said in the loop of whatever takes long, too. Raises DatabaseUnavailable."""
    said_at, now = process.pulse_said_at(), time.monotonic()
    if now - said_at.get(stage, float("-inf")) < _EVERY_S:
        return
    with process.database().transaction() as connection:
        ledger.note_run(connection, stage)
    said_at[stage] = now


def is_our_own(error: BaseException) -> bool:
    """Whether a failure is one that a person has to mend, and not a server that is away: that has alarms of its own."""
    return isinstance(error, DatabaseFull) or not isinstance(error, TransientError)


def failed(stage: str, error: BaseException, *, about: str = "", again_in_s: float = 60.0) -> None:
    """Say that a stage failed for a reason of our own, for an alarm until its next try has passed. Never raises.

    about: what it failed at, as `batch 7`.
    """
    if not is_our_own(error):
        return
    why = f"{about}: {said(error)}" if about else said(error)
    # of a full disk it is known where
    log.error("a stage fails", stage=stage, why=why, exc_info=None if isinstance(error, _KNOWN) else error)
    try:
        with process.database().transaction() as connection:
            ledger.note_failure(connection, stage, why, lasts_s=again_in_s + _GRACE_S)
    except (TransientError, SQLAlchemyError) as refused:
        log.warning("a failure can't be noted in the ledger", stage=stage, error=str(refused))


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


def said(error: BaseException) -> str:
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_SHOWN]
