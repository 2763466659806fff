"""When a run will be done: by the age of its batches beside what such batches took. The API reports no progress."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from sqlalchemy import Connection

from overnight_models.ledger.catalogs import answers
from overnight_models.ledger.catalogs.answers import UnderWay
from overnight_models.ledger.catalogs.runs import Run
from overnight_models.ledger.money import history
from overnight_models.ledger.money.history import Turnaround
from overnight_models.quantities import spoken
from overnight_workers.roads.turnaround import SURE, Turnarounds
from overnight_workers.settings import settings

_BEFORE_SENDING: Final = ("planned", "asking", "pilot")


@dataclass(frozen=True)
class Forecast:
    """What is known of the end of a run that isn't over."""

    rows: int
    """That aren't back."""
    oldest_s: float | None
    """For how long its oldest batch is at Anthropic; None while there is none."""
    half: datetime | None
    """As likely earlier as later; None: it takes longer than any before it."""
    sure: datetime | None
    """In 95 of 100 cases it is done by then."""
    source: str
    """What that is learned from."""
    finish_at: datetime | None
    in_real_time: bool
    """Its lane buys in real time what would be late."""
    asks: bool = False
    """A person has to approve it first: the times are those of a run that is approved now."""

    @property
    def missed(self) -> str | None:
        """Whether its `finish_by` will be missed, in words; None when it won't, or there is none."""
        if self.finish_at is None or (self.sure is not None and self.sure <= self.finish_at):
            return None
        chance = "will likely" if self.is_late else "may"
        rescue = "; its lane buys what would be late in real time" if self.in_real_time else ""
        return f"{chance} miss its finish_by, {_moment(self.finish_at)}{rescue}"

    @property
    def is_late(self) -> bool:
        """As likely as not it isn't done by its `finish_by`."""
        return self.finish_at is not None and (self.half is None or self.half > self.finish_at)

    @property
    def end(self) -> str:
        """When it will be done, for people."""
        by = "later than any before it" if self.half is None else f"by {_moment(self.half)} as likely as not"
        surely = "" if self.sure is None else f", by {_moment(self.sure)} in 95 of 100 cases"
        return f"{'if it is approved now, ' if self.asks else ''}done {by}{surely}"

    @property
    def rest(self) -> str:
        """What is still to come, for people."""
        if self.asks:
            return f"{self.rows:,} {'row waits' if self.rows == 1 else 'rows wait'} for an approval"
        age = "" if self.oldest_s is None else f", the oldest batch for {spoken(self.oldest_s)}"
        return f"{self.rows:,} {'row isn' if self.rows == 1 else 'rows aren'}'t back{age}"

    @property
    def words(self) -> str:
        """In a line for people."""
        return f"{self.rest}: {self.end} ({self.source})"

    def document(self) -> dict[str, object]:
        """As JSON."""
        return {
            "rows": self.rows,
            "oldest_batch_s": self.oldest_s,
            "half_at": self.half,
            "sure_at": self.sure,
            "learned_from": self.source,
            "finish_at": self.finish_at,
            "missed": self.missed,
        }


def forecast(connection: Connection, run: Run) -> Forecast | None:
    """When a run will be done; None when it is over, or nothing is known of what it sends."""
    if run.is_over or run.plan is None:
        return None
    under_way = answers.under_way(connection, run.name)
    rest = _rest(run, under_way)
    if not under_way and not rest:
        return None
    past, now = history.turnarounds(connection), datetime.now(UTC)
    declared = tomllib.loads(run.declaration).get("lane", "default")
    lane = settings().lanes.get(declared if isinstance(declared, str) else "default")
    ages = [batch.open_s for batch in under_way if batch.open_s is not None]
    return Forecast(
        rows=sum(batch.rows for batch in under_way) + rest,
        oldest_s=max(ages, default=None),
        half=_after(now, _takes_s(past, under_way, rest, 0.5)),
        sure=_after(now, _takes_s(past, under_way, rest, SURE)),
        source=Turnarounds(past, max([rest, *(batch.batch_items for batch in under_way)])).basis,
        finish_at=run.finish_at,
        in_real_time=lane is not None and lane.road == "by_deadline",
        asks=run.state == "asking",
    )


def why_late(connection: Connection, run: Run) -> str | None:
    """That a run will likely miss its `finish_by`, or has missed it, and why; None when it may be done in time.

    What a lane buys in real time is in time, as far as anybody can say before.
    """
    if run.finish_at is None or run.is_over:
        return None
    expected, by = forecast(connection, run), _moment(run.finish_at)
    why = "" if expected is None else f": {expected.words}"
    if run.finish_at <= datetime.now(UTC):
        return f"isn't done, and its finish_by, {by}, is over{why}"
    if expected is None or not expected.is_late or (expected.in_real_time and not expected.asks):
        return None
    return f"will likely not be done by its finish_by, {by}{why}"


def _rest(run: Run, under_way: Sequence[UnderWay]) -> int:
    """Rows that will be sent when the pilot is back, or a person has approved."""
    if run.state not in _BEFORE_SENDING:
        return 0
    sent = orjson.loads(run.counts).get("pilot", {}).get("looked_at", 0)
    return int(max(orjson.loads(run.plan or "{}")["send"] - sent, 0))


def _takes_s(past: Sequence[Turnaround], under_way: Sequence[UnderWay], rest: int, confidence: float) -> float:
    """The slowest batch that runs, then the rest in one batch."""
    running = [
        Turnarounds(past, batch.batch_items).sure_s(batch.batch_items, confidence, batch.open_s or 0.0)
        for batch in under_way
    ]
    after = Turnarounds(past, rest).sure_s(rest, confidence) if rest else 0.0
    return max(running, default=0.0) + after


def _after(now: datetime, seconds: float) -> datetime | None:
    return None if math.isinf(seconds) else now + timedelta(seconds=seconds)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
