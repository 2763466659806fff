"""Batches: their list by a filter, and one of them: its timeline, its submissions, its items' problems, its money."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson
from sqlalchemy import Connection

from overnight_models.ledger.money import history
from overnight_models.ledger.operators import batch_list, troubles
from overnight_models.ledger.operators.batch_list import UNFINISHED, BatchFilter, BatchLife, ModelShare
from overnight_models.ledger.operators.overview import BatchView
from overnight_models.money.prices import Usage, both_costs
from overnight_models.quantities import several
from overnight_models.states import BATCH
from overnight_workers import process
from overnight_workers.flower_tab.faults import Fault
from overnight_workers.flower_tab.page import Page
from overnight_workers.operators import filters, fingerprints
from overnight_workers.roads import memory
from overnight_workers.roads.turnaround import Turnarounds

_ON_A_PAGE: Final = 50
_WORDS: Final = ("lane", "workspace", "state", "api_id")
_LOW, _HIGH = 0.05, 0.95


class BatchesPage(Page):
    """`/batches`: the newest batches of a filter, page by page."""

    tab = "batches"

    async def answer(self, *parts: str) -> None:
        """The page that the URL's query names."""
        del parts
        asked, before = self.words(*_WORDS), self.number("before")
        states = [asked["state"]] if asked.get("state", UNFINISHED) != UNFINISHED else []
        database = self.application.reader.database
        await self.application.reader.do(
            lambda: filters.check(lane=asked.get("lane"), batch_states=states, ledger=database)
        )
        look = await self.application.reader.look()
        views, older = await self.ask(
            lambda connection: batch_list.page(connection, BatchFilter(**asked), before=before, limit=_ON_A_PAGE)
        )
        self.show(
            "batches.html",
            asked=asked,
            batches=views,
            seen=look.snapshot,
            states=(UNFINISHED, *BATCH.states),
            is_first=before is None,
            older=None if older is None else self.link("batches", **asked, before=older),
        )


@dataclass(frozen=True)
class Expected:
    """When a batch that runs is expected to end. Nothing is known of its progress: the API doesn't report any."""

    half: datetime | None
    """As likely earlier as later; None: none has taken so long."""
    low: datetime | None
    high: datetime | None
    """Nine of ten end between the two."""
    source: str
    """What that is learned from."""


class BatchPage(Page):
    """`/batches/NUMBER`: one batch."""

    tab = "batches"

    async def answer(self, *parts: str) -> None:
        """Everything about it, without a word of its requests and answers."""
        number = int(parts[0])
        life, past, unclear = await self.ask(lambda connection: _read(connection, number))
        if life is None:
            raise Fault(404, f"There is no batch {number}", "None of that number was ever packed.")
        estimate = await self.application.reader.do(lambda: _estimated(life.models))
        look = await self.application.reader.look()
        self.show(
            "batch.html",
            life=life,
            batch=life.batch,
            expected=_expected(life.batch, past),
            unclear=unclear,
            seen=look.snapshot,
            moments=_moments(life),
            groups=fingerprints.grouped(life.said),
            estimate=estimate,
            counts=[orjson.loads(submission.counts) if submission.counts else {} for submission in life.submissions],
            BATCH=BATCH,
        )


def _read(
    connection: Connection, number: int
) -> tuple[BatchLife | None, Sequence[history.Turnaround], list[troubles.UnclearView]]:
    life = batch_list.life(connection, number)
    runs = life is not None and life.batch.state in ("open", "canceling")
    past = history.turnarounds(connection) if runs else []
    unclear = troubles.unclear(connection, number) if life is not None and life.batch.state == "unclear" else []
    return life, past, unclear


def _expected(batch: BatchView, past: Sequence[history.Turnaround]) -> Expected | None:
    """None for a batch that isn't running at Anthropic."""
    if batch.state not in ("open", "canceling") or batch.open_s is None:
        return None
    known = Turnarounds(past, batch.items)
    open_s, now = max(batch.open_s, 0.0), datetime.now(UTC)

    def end(confidence: float) -> datetime | None:
        more_s = known.sure_s(batch.items, confidence, open_s)
        # nothing runs longer: what isn't answered by then expires
        most_s = math.inf if batch.expires_s is None else max(batch.expires_s, 0.0)
        return None if math.isinf(more_s) else now + timedelta(seconds=min(more_s, most_s))

    return Expected(end(0.5), end(_LOW), end(_HIGH), known.basis)


def _estimated(models: Sequence[ModelShare]) -> int | None:
    """What the batch is expected to cost, by what this ledger has learned; None where a model has no price."""
    total = 0
    for share in models:
        model = process.prices().model(share.model)
        if model is None:
            return None
        tokens_in, tokens_out = memory.expected_tokens(share.model_id, share.size, share.max_tokens)
        total += both_costs(model, Usage(input_tokens=tokens_in, output_tokens=tokens_out))[0]
    return total


def _moments(life: BatchLife) -> list[tuple[datetime, str]]:
    """The timeline, the earliest first."""
    batch, facts = life.batch, life.facts
    moments = [(batch.packed_at, f"packed, with {several(batch.items, 'item')}")]
    for submission in life.submissions:
        named = f" (submission {submission.id})" if len(life.submissions) > 1 else ""
        steps = (
            (submission.claimed_at, "claimed by a submitter"),
            (submission.let_go_at, "sent: its last bytes were let go"),
            (submission.api_created_at, f"accepted: Anthropic created {submission.api_id}"),
            (submission.cancel_asked_at, "Anthropic was told to stop it"),
            (submission.ended_at, "ended at Anthropic"),
        )
        moments += [(at, text + named) for at, text in steps if at is not None]
    if facts.recorded_at is not None:
        moments.append((facts.recorded_at, "the last of its outcomes was recorded"))
    moments.append((facts.changed_at, f"{batch.state}: {BATCH.states[batch.state]}"))
    return sorted(moments, key=lambda moment: moment[0])
