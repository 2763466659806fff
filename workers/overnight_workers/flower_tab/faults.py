"""What a page says when it can't show what was asked for: what that means, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import ProgrammingError

from overnight_models.errors import PermanentError, TransientError
from overnight_models.ledger.database import DatabaseFull, DatabaseUnavailable

_TOO_LONG = "statement timeout"


@dataclass(frozen=True)
class Fault(Exception):
    """A page in place of what was asked for."""

    status: int
    title: str
    means: str
    do: str = ""

    def __str__(self) -> str:
        return f"{self.title}: {self.means}"


OURS: Final = Fault(
    500,
    "This page can't be shown",
    "Something of Overnight failed that shouldn't. Only this page is concerned: nothing is lost, and all else goes on.",
    "Flower's log says what failed. The command line may show the same: `overnight status`, `overnight items`.",
)
"""What nobody foresaw."""


def fault_of(error: Exception, wrong: str) -> Fault:
    """What an exception of the ledger means for whoever looks. What isn't known is raised again.

    wrong: the title where what was asked for is at fault.
    """
    if isinstance(error, Fault):
        return error
    said = " ".join(str(error).split())
    if isinstance(error, ProgrammingError):
        return Fault(
            503,
            "The ledger's schema is not this version's",
            "The database has no ledger, or one of an older or newer version than this Flower. Nothing is lost.",
            "Run `overnight migrate` with the newest version installed, then start Flower again.",
        )
    if isinstance(error, DatabaseUnavailable) and _TOO_LONG in said:
        return Fault(
            503,
            "That took too long",
            "Postgres ended the question after 10 s, so that it holds nobody up.",
            "Narrow the filter: a run, a batch and a key have an index. Or try again when Postgres has less to do.",
        )
    if isinstance(error, DatabaseFull):
        return Fault(503, "Postgres has no room", said, "Make room on its disk: all goes on by itself then.")
    if isinstance(error, DatabaseUnavailable):
        return Fault(
            503,
            "Postgres can't be reached",
            f"Nothing can be shown, and nothing moves until it is back. Nothing is lost. {said}",
            "Start Postgres, or correct OVERNIGHT_DATABASE_URL; `overnight doctor` says which of them.",
        )
    if isinstance(error, PermanentError):
        return Fault(400, wrong, said)
    if isinstance(error, TransientError):
        return Fault(503, "Not now", said, "Try again; `overnight doctor` says what is wrong.")
    raise error
