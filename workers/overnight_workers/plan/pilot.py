"""The pilot: some of the file's items are really enqueued and paid for, to learn how long answers are."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from overnight_models.errors import NotFinished, Rejected
from overnight_models.ledger import answer
from overnight_models.ledger.money import history
from overnight_models.states import ITEM
from overnight_producers import Overnight
from overnight_workers import process
from overnight_workers.item_file import line_at
from overnight_workers.plan.answers import Measured
from overnight_workers.plan.strata import chosen
from overnight_workers.plan.sums import Of
from overnight_workers.plan.survey import Survey
from overnight_workers.settings import settings


@dataclass(frozen=True, slots=True)
class Pilot:
    """What the pilot came to."""

    items: int
    billed: int
    """Items that have a billed answer; the others failed, unbilled."""
    tokens_in: int
    tokens_out: int
    cost_nano: int
    measured: Mapping[Of, Measured]


def run_pilot(
    source: IO[bytes],
    survey: Survey,
    items: int,
    *,
    lane: str,
    run: str | None,
    within_s: float,
    progress: Callable[[int, int], None],
) -> Pilot:
    """Enqueue so many of the file's items, chosen at random, and wait for their answers.

    The items are the file's own, under their own keys: enqueued again with the file, they are done and free.
    progress: is told how many of how many are final.

    Raises NotFinished when some aren't final in time; they go on, and the same pilot, started again, finds them.
    """
    units = chosen(survey.cells, items)
    written = [line_at(source, unit.offset) for _, unit in units]
    confirmation = Overnight(settings().redis_url or None).enqueue_confirmed(written, lane=lane, run=run)
    if confirmation.rejected:
        first = confirmation.rejected[0]
        raise Rejected(f"the pilot's item {first.key!r}: {first.why}")
    keys = [str(item.key) for item in written]
    _wait(lane, keys, within_s, progress)
    with process.database().transaction() as connection:
        billed = history.answers_of(connection, lane, keys)
    samples: defaultdict[Of, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for (cell, unit), key in zip(units, keys, strict=True):
        sizes, tokens = samples[cell.model, cell.geo]
        sizes.append(unit.size)
        tokens.append(billed[key].tokens_out if key in billed else 0)
    return Pilot(
        items=len(keys),
        billed=len(billed),
        tokens_in=sum(bill.tokens_in for bill in billed.values()),
        tokens_out=sum(bill.tokens_out for bill in billed.values()),
        cost_nano=sum(bill.cost_nano for bill in billed.values()),
        measured={of: Measured(sizes, tokens) for of, (sizes, tokens) in samples.items()},
    )


def _wait(lane: str, keys: Sequence[str], within_s: float, progress: Callable[[int, int], None]) -> None:
    give_up_at = time.monotonic() + within_s
    while True:
        with process.database().transaction() as connection:
            states = answer.states(connection, lane, keys)
        final = sum(n for state, n in states.items() if state in ITEM.final)
        progress(final, len(keys))
        if final == len(keys):
            return
        if time.monotonic() > give_up_at:
            raise NotFinished(
                f"{len(keys) - final} of the pilot's {len(keys)} items have no outcome yet; they go on."
                " Say the same again later: it finds them"
            )
        time.sleep(0.5)  # a batch takes minutes: the ledger is asked again, there is nothing here to wait on
