"""Collect: an ended batch's results are streamed into the ledger, chunk by chunk, and proven to be complete.

A chunk is one transaction: outcome, bill, next state and delivery. Whatever breaks, the results are read again from
the start; what is recorded is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import Final

from sqlalchemy import Connection

from overnight_models import routes
from overnight_models.errors import BadSettings, TransientError
from overnight_models.ledger import workspaces
from overnight_models.ledger.collect import collect as ledger
from overnight_models.ledger.collect import outcomes
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.collect.collect import Reading
from overnight_models.ledger.collect.outcomes import Recorded
from overnight_models.ledger.database import DatabaseFull
from overnight_models.ledger.deliver import deliver as deliveries
from overnight_models.ledger.deliver.due import recorded_and_claimed
from overnight_models.ledger.money import settle
from overnight_models.quantities import several, spoken
from overnight_models.wire.outcome import Problem
from overnight_workers import process
from overnight_workers.anthropic_api import api
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.settings import settings
from overnight_workers.sizes import escalation
from overnight_workers.stages import answer_spans, doorbell, protocol, pulse
from overnight_workers.stages.collect.lines import arrival
from overnight_workers.stages.collect.schema_checks import check_of
from overnight_workers.stages.deliver import deliver
from overnight_workers.stages.result_lines import Line, read_line
from overnight_workers.stages.target_pacing import paced_brokers
from overnight_workers.telemetry import counted, logs

_CHUNK_LINES: Final = 2500
_CHUNK_BYTES: Final = 8_000_000
_HIGHEST_ID: Final = 2**63 - 1
_READS_BEFORE_DISOWNING: Final = 3
"""Reads of an API id that show another token; one may be a mix-up on the way."""
_READS_BEFORE_GIVING_UP: Final = 10
"""Whole reads that miss the same lines, and `missing_for`, before their items are given up, visibly."""
_LONGEST_PAUSE_S: Final = 300.0
_LONGEST_PAUSE_FOR_MISSING_S: Final = 3600.0
"""All of it is read again for what is missing, for days."""

log = logs.get(__name__)


class Forgotten(TransientError):
    """The ledger was restored while these results were read, and doesn't know their submission."""


class NotOurs(Exception):
    """The results bear another token than the submission's: nothing of them is believed."""


@app.task(name=routes.COLLECT)
def collect(**_later: object) -> str:
    """Collect what has ended, one batch after the other, for a while; the rest is rung for again."""
    doorbell.heard(routes.COLLECT)
    stop_at = time.monotonic() + 240
    batches, total = 0, Recorded()
    while time.monotonic() < stop_at:
        pulse.at_work(routes.COLLECT)
        owner = process.database().owner()
        with process.database().transaction() as connection:
            reading = ledger.claim(connection, owner=owner, lease_s=settings().timing.lease)
        if reading is None:
            break
        if reading.taken_over:
            about = f"batch {reading.batch_id}"
            pulse.begun_again(routes.COLLECT, about, reading.reads - 1, reading.last_error)
        # while this one is read, another worker may begin the next
        doorbell.ring(routes.COLLECT)
        total += _collect(reading)
        batches += 1
    else:
        doorbell.ring(routes.COLLECT)
    return f"{batches} batches: {total.succeeded} succeeded, {total.failed} failed, {total.retried} to be tried again"


@dataclass
class _Progress:
    """What one read of a batch's results has shown so far."""

    seen: set[int] = field(default_factory=set)
    settled: set[int] = field(default_factory=set)
    """Items of which a line was taken for what came back; of the others one may be put off."""
    put_off: SpooledTemporaryFile[bytes] | None = None
    """Lines without an answer: they count when the end of the results has come without one. None: they count now."""
    recorded: Recorded = field(default_factory=Recorded)
    strange: int = 0
    """Lines that aren't of this submission."""
    damaged: int = 0
    """Lines that can't be read, and may have been cut or damaged on their way."""
    is_last: bool = False
    """What is missing after this read is given up: also what is damaged counts then, and is kept as it is."""
    passed_over: bool = False
    """Some were recorded while another submission of the batch lived: its errors didn't count."""


def _collect(reading: Reading) -> Recorded:
    progress = _Progress(is_last=_is_last(reading))
    about, again_in_s = f"batch {reading.batch_id}", _pause_s(reading, _LONGEST_PAUSE_S)
    try:
        with (
            pulse.alone(routes.COLLECT, about, again_in_s=again_in_s, expected=(NotOurs, BadSettings)) as tried,
            SpooledTemporaryFile(max_size=_CHUNK_BYTES, prefix="overnight-") as put_off,
        ):
            _read_all(reading, put_off, progress)
        wrong = None if tried.error is None else pulse.said(tried.error)
    except (TransientError, NotOurs, BadSettings) as error:
        if isinstance(error, DatabaseFull):
            pulse.failed(routes.COLLECT, error, about=about, again_in_s=again_in_s)
        if isinstance(error, api.ApiUnavailable) and error.status == 404 and _archived(reading):
            progress.recorded += give_up(reading.submission_id, reading.batch_id, "its results were kept for 29 days")
            return progress.recorded
        wrong = f"{type(error).__name__}: {error}"
        if isinstance(error, NotOurs) and reading.reads >= _READS_BEFORE_DISOWNING and _disown(reading, wrong):
            return progress.recorded
    _end(reading, progress, wrong)
    if progress.recorded.due:
        doorbell.ring(routes.DELIVER)
    if progress.recorded.retried:
        doorbell.ring(routes.PACK)
    return progress.recorded


def _end(reading: Reading, progress: _Progress, wrong: str | None) -> None:
    """The batch is collected, or its results are read again later. wrong: why they couldn't be read to their end."""
    bound = log.bind(batch_id=reading.batch_id, submission_id=reading.submission_id, api_id=reading.api_id)
    missing = reading.items - len(progress.seen)
    if wrong is None and missing and progress.is_last:
        _give_up_missing(reading, progress)
        missing = 0
    missed = wrong is None and missing > 0
    if missed:
        cut = f", {several(progress.damaged, 'line')} can't be read" if progress.damaged else ""
        wrong = f"{missing} of {reading.items} results are missing{cut}: read again for {spoken(_left_s(reading))}"
    with process.database().transaction() as connection:
        if wrong is None and not ledger.finish(connection, reading, passed_over=progress.passed_over):
            wrong = "another submission of its batch lived while it was read: its errors count now"
        if wrong is not None:
            pause_s = _pause_s(reading, _LONGEST_PAUSE_FOR_MISSING_S if missed else _LONGEST_PAUSE_S)
            ledger.schedule_retry(connection, reading.submission_id, wrong, missed=missed, pause_s=pause_s)
    if wrong is None:
        bound.info("collected", **progress.recorded.counts())
    else:
        bound.warning("results not complete, to be read again", why=wrong, seen=len(progress.seen))


def _read_all(reading: Reading, put_off: SpooledTemporaryFile[bytes], progress: _Progress) -> None:
    """Record what the API has; last what was put off."""
    progress.put_off = put_off
    with api.results(reading.workspace, reading.api_id) as lines:
        _record_all(reading, lines, progress)
    put_off.seek(0)
    progress.put_off = None
    _record_all(reading, (line.rstrip(b"\n") for line in put_off), progress)


def _pause_s(reading: Reading, longest_s: float) -> float:
    """Before it is read again."""
    return min(2.0 ** min(reading.reads, 12), longest_s)


def _is_last(reading: Reading) -> bool:
    """Whether what is missing after this read is given up: the API keeps it for 29 days, so not for a bad hour."""
    return reading.misses + 1 >= _READS_BEFORE_GIVING_UP and _left_s(reading) <= 0


def _left_s(reading: Reading) -> float:
    """How long missing results are still waited for."""
    return max(settings().timing.missing_for - reading.ended_for_s, 0.0)


def _disown(reading: Reading, why: str) -> bool:
    """The API id that the answer to a create named is another batch's: the submission's own is looked for again."""
    with process.database().transaction() as connection:
        disowned = ledger.disown(connection, reading, why)
    if disowned:
        log.error("its API id isn't its own", submission_id=reading.submission_id, api_id=reading.api_id, why=why)
    return disowned


def _archived(reading: Reading) -> bool:
    """Whether the API has let go of the results; a 404 alone says nothing, it heals."""
    try:
        return api.retrieve(reading.workspace, reading.api_id).archived
    except api.ApiUnavailable:
        return False


def give_up(submission_id: int, batch_id: int, why: str) -> Recorded:
    """The results of a submission can't be had any more: its items fail, since they may be billed already."""
    with process.database().transaction() as connection:
        recorded = Recorded()
        if ledger.lose(connection, submission_id, why):
            arrivals = [
                Arrival(item_id, Fate.FAIL_OWN, problem=Problem.GIVEN_UP, detail=why, retryable=True)
                for item_id in ledger.missing_items(connection, batch_id)
            ]
            source = Source(submission_id, batch_id, None, only_live=True)
            recorded = outcomes.record(connection, source, arrivals, max_attempts=1)
            settle.close(connection, batch_id)
    log.error("results given up", submission_id=submission_id, items=recorded.failed, why=why)
    if recorded.due:
        doorbell.ring(routes.DELIVER)
    return recorded


def _record_all(reading: Reading, lines: Iterator[bytes], progress: _Progress) -> None:
    for chunk in _chunks(lines):
        pulse.at_work(routes.COLLECT)
        _record(reading, chunk, progress)


def _chunks(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    chunk: list[bytes] = []
    size = 0
    for line in lines:
        chunk.append(line)
        size += len(line)
        if len(chunk) >= _CHUNK_LINES or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _record(reading: Reading, chunk: list[bytes], progress: _Progress) -> None:
    arrivals = [_our_own(reading, arrival) for arrival in _arrivals(reading, chunk, progress)]
    lane = settings().lane(reading.lane)
    again = escalation.rule(lane)
    with process.database().transaction() as connection:
        if not ledger.extend(connection, reading, lease_s=settings().timing.lease):
            raise Forgotten(f"submission {reading.submission_id} isn't in the ledger any more: it was restored")
        source = _source(connection, reading, progress)
        targets = deliveries.targets_in_the_clear(connection, paced_brokers())
        recorded = outcomes.record(
            connection,
            source,
            arrivals,
            max_attempts=lane.max_attempts,
            again_if_invalid=again,
            claim=targets.keys(),
            lease_s=deliver.LEASE_S,
        )
        claimed = recorded_and_claimed(connection, source, arrivals, recorded)
        stopped_by = next(
            (
                arrival.detail
                for arrival in arrivals
                if arrival.fate == Fate.WAIT_OWN and arrival.problem != Problem.CANCELED
            ),
            None,
        )
        held = False
        if stopped_by is not None:
            held = workspaces.hold(connection, reading.workspace, stopped_by)
    counted.items(routes.COLLECT, len(arrivals))
    answer_spans.write(source, arrivals)
    if held:
        log.error("workspace held", workspace=reading.workspace, why=stopped_by)
    # what nothing stands in the way of is handed over at once: here it needn't be read again
    taken = sum(deliver.hand_over(targets[target_id], due) for target_id, due in claimed.items())
    if recorded.due or taken < len(recorded.claimed):
        doorbell.ring(routes.DELIVER)
    if recorded.paid_twice:
        log.error("paid twice", submission_id=reading.submission_id, items=recorded.paid_twice)
    progress.recorded += recorded


def _our_own(reading: Reading, arrival: Arrival) -> Arrival:
    """What we had canceled ourselves waits again, and no try is counted."""
    is_ours = reading.cancel_asked and arrival.fate == Fate.RETRY_OWN and arrival.problem == Problem.CANCELED
    return arrival._replace(fate=Fate.WAIT_OWN) if is_ours else arrival


def _source(connection: Connection, reading: Reading, progress: _Progress) -> Source:
    """Where the lines come from: asked in the transaction that records them, since a lost submission may come back."""
    only_live = ledger.only_live(connection, reading)
    progress.passed_over |= not only_live
    return Source(reading.submission_id, reading.batch_id, reading.api_id, only_live, has_prefixes=reading.has_prefixes)


def _own_lines(reading: Reading, chunk: list[bytes], progress: _Progress) -> Iterator[tuple[int, Line]]:
    """The lines of a chunk, one at a time: each item once, and only what bears this submission's token.

    The first answer of an item counts, since it is paid, whatever lines without an answer stand before it.
    """
    begins, seen = f"{reading.token}_", progress.seen
    for raw in chunk:
        line = read_line(raw)
        if line is None or not (line.whole or progress.is_last):
            # it counts as missing, so that it doesn't keep the other lines from being recorded
            progress.damaged += 1
            log.error("a line that can't be read", api_id=reading.api_id, bytes=len(raw), why=line and line.why)
            continue
        read = protocol.read_custom_id(line.custom_id) if line.custom_id.startswith(begins) else None
        if read is None or read[1] > _HIGHEST_ID:
            progress.strange += 1
            if not seen:
                raise NotOurs(f"{reading.api_id} has answers of somebody else")
            log.error("a line that isn't ours", api_id=reading.api_id, custom_id=line.custom_id)
        elif read[1] not in progress.settled:
            seen.add(read[1])
            if progress.put_off is not None and not line.is_answer:
                progress.put_off.write(raw + b"\n")
                continue
            progress.settled.add(read[1])
            yield read[1], line


def _arrivals(reading: Reading, chunk: list[bytes], progress: _Progress) -> list[Arrival]:
    lines = _own_lines(reading, chunk, progress)
    prices = process.prices()
    if not reading.has_schemas:
        return [arrival(item_id, line, prices, None) for item_id, line in lines]
    kept = list(lines)
    with process.database().transaction() as connection:
        schemas = ledger.output_schemas(connection, [item_id for item_id, _ in kept])
    return [
        arrival(item_id, line, prices, check_of(schemas[item_id]) if item_id in schemas else None)
        for item_id, line in kept
    ]


def _give_up_missing(reading: Reading, progress: _Progress) -> None:
    """Lines that never came: their items may have been billed, so they aren't sent again but fail, visibly."""
    with process.database().transaction() as connection:
        given_up = [
            Arrival(item_id, Fate.FAIL_OWN, problem=Problem.GIVEN_UP, detail="its result never came", retryable=True)
            for item_id in ledger.missing_items(connection, reading.batch_id)
            if item_id not in progress.seen
        ]
        source = _source(connection, reading, progress)
        progress.recorded += outcomes.record(connection, source, given_up, max_attempts=1)
    log.error("results never came", api_id=reading.api_id, items=len(given_up))
