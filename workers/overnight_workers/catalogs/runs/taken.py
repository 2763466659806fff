"""A run that this process has taken, and what its steps answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from overnight_models.crash_points import reach
from overnight_models.errors import TransientError
from overnight_models.ledger.catalogs import memory as memory_ledger
from overnight_models.ledger.catalogs import runs as ledger
from overnight_models.ledger.catalogs.runs import Run
from overnight_models.states import Move
from overnight_workers import process
from overnight_workers.catalogs import memory
from overnight_workers.catalogs.declaration import Catalog

if TYPE_CHECKING:
    from overnight_workers.catalogs.memory import Entries


class Taken(TransientError):
    """Another process takes this run's steps by now; it goes on there."""


@dataclass(frozen=True)
class Wish:
    """What is asked for beside the declaration."""

    limit: int | None = None
    where: str | None = None
    retry_failed: bool = False
    approved: bool = False
    """Whoever began it has seen the plan, or doesn't want to be asked."""
    stop: str | None = None
    """Why it is only begun to be stopped: its schedule's time came, and the catalog's file couldn't be used."""

    def dump(self) -> str:
        """As a run's row keeps it."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        return orjson.dumps(given).decode()

    def only(self) -> dict[str, str]:
        """What a plan says of rows that it leaves out: by which options; nothing where it looks at all."""
        options = [] if self.limit is None else [f"--limit {self.limit}"]
        options += [] if self.where is None else [f'--where "{self.where}"']
        options += ["--retry-failed"] if self.retry_failed else []
        return {"only": " ".join(options)} if options else {}

    @classmethod
    def read(cls, text: str) -> Wish:
        """What `dump` wrote."""
        return cls(**orjson.loads(text))


@dataclass(frozen=True)
class Step:
    """What a step has done."""

    said: str
    """For a person."""
    wait_s: float = 0.0
    """Nothing can be done before that."""
    is_over: bool = False
    asks: bool = False
    """A person has to say something first."""


@dataclass
class TakenRun:
    """One run in the hands of this process.

    news: takes how many rows of this step are done.
    """

    run: Run
    catalog: Catalog
    owner: int
    news: Callable[[int], None] = field(default=lambda done: None)
    rest_unpublished: int | None = None
    """How many rows weren't back when this process last published what had come."""

    @property
    def wish(self) -> Wish:
        """What was asked for."""
        return Wish.read(self.run.wish)

    @property
    def plan(self) -> dict[str, Any]:
        """Its plan; empty while it isn't made."""
        return dict(orjson.loads(self.run.plan or "{}"))

    @property
    def counts(self) -> dict[str, Any]:
        """What came of it so far."""
        return dict(orjson.loads(self.run.counts))

    def move(self, move: Move, *, reason: str | None = None, **counts: object) -> None:
        """Bring it into its next state. counts: added to what came of it. Raises Taken."""
        reach(f"before {move.name}")
        dumped = orjson.dumps(self.counts | counts).decode()
        with process.database().transaction() as connection:
            self.must(ledger.move(connection, self.run.id, self.owner, move, reason=reason, counts=dumped))

    def note_enqueued(self, **counts: object) -> None:
        """All rows of this state are items by now. Raises Taken."""
        dumped = orjson.dumps(self.counts | counts).decode()
        with process.database().transaction() as connection:
            self.must(ledger.note_enqueued(connection, self.run.id, self.owner, dumped))
        self.run = replace(self.run, counts=dumped)

    def must(self, is_ours: bool) -> None:
        """Raise Taken when a move found that the run isn't this process's any more."""
        if not is_ours:
            raise Taken(f"run {self.run.name} is in other hands by now")


def planned(taken: TakenRun) -> Iterator[Entries]:
    """The entries that a run was planned with, some parts at a time."""
    with process.database().transaction() as connection:
        size = memory_ledger.planned_size(connection, taken.run.id)
    for parts in memory.groups(size):
        with process.database().transaction() as connection:
            entries = memory_ledger.planned(connection, taken.run.id, parts)
        yield memory.entries(entries)


AT_ONCE: Final = 20_000
"""Rows of a page that has no answers in it."""
