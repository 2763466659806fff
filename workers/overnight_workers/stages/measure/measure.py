"""Measure: prompts that may be too long for their lane, or are between its models, are counted before they are sent.

Too long, an item is refused, or what it names as cuttable is cut until it fits: counted, never guessed. Most items
never come here, since their bytes alone say that they can't be too long, or which model they are for. What
`count_tokens` doesn't count although batches take it is left out of the count: the rest has to fit.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from overnight_models import exact_json, routes
from overnight_models.errors import BadSettings
from overnight_models.ledger import measure as ledger
from overnight_models.ledger import workspaces
from overnight_models.ledger.collect import outcomes
from overnight_models.ledger.collect.arrivals import UNSENT, Arrival, Fate
from overnight_models.ledger.measure import Chosen, Shortened, Unmeasured
from overnight_models.request.countable import divide
from overnight_models.request.cuttable import text_at
from overnight_models.request.prefix import MARK_BYTES
from overnight_models.request.prompt import counted
from overnight_models.wire.outcome import Problem
from overnight_workers import process
from overnight_workers.anthropic_api import api
from overnight_workers.anthropic_api.api import Reply
from overnight_workers.anthropic_api.count_refusals import is_refusal, verdict, words_of
from overnight_workers.anthropic_api.pace import Pace
from overnight_workers.celery_worker.celery_app import app
from overnight_workers.settings import Lane, settings
from overnight_workers.stages import doorbell, protocol, pulse
from overnight_workers.stages.measure import choosing, cutting
from overnight_workers.telemetry import logs

_FOR_S: Final = 60.0
"""A task's time; the rest is rung for again, so that packing and polling get their turn."""
_AT_ONCE: Final = 200
_BYTES_AT_ONCE: Final = 64_000_000
_THREADS: Final = 16
_GROUP_S: Final = 40.0
"""After so long no call of a group is begun any more."""
_CALL_S: Final = 15.0
_LEASE_S: Final = 90.0
_FAILED_PAUSE_S: Final = 60.0
"""After a failure of our own."""
_FAILURES: Final = 5
"""Calls of a group without an answer after which their workspace isn't asked for a while."""
_LONGEST_PAUSE_S: Final = 240.0

log = logs.get(__name__)


@app.task(name=routes.MEASURE)
def measure(**_later: object) -> str:
    """Measure what waits for it, for a while. Running it twice at once measures nothing twice.

    An item at which we fail ourselves waits; the others go on.
    """
    doorbell.heard(routes.MEASURE)
    stop_at = time.monotonic() + _FOR_S
    total = 0
    paces = {name: Pace(workspace.counting_rate, time.monotonic()) for name, workspace in settings().workspaces.items()}
    with process.database().transaction() as connection:
        silent = set(ledger.silent_workspaces(connection))
    # what gave no answer of late comes last, and what gives none now is left to the next task
    passed_over = silent.copy()
    while time.monotonic() < stop_at:
        pulse.at_work(routes.MEASURE)
        group = _claim(passed_over)
        if group:
            answered, unanswered = _measure_alone(group, paces)
            total += answered
            passed_over |= unanswered
        elif silent:
            passed_over -= silent
            silent = set()
        else:
            break  # of what is left the sweep rings
    else:
        doorbell.ring(routes.MEASURE)
    return f"{total} measured"


def _claim(passed_over: Collection[str]) -> list[Unmeasured]:
    owner = process.database().owner()
    with process.database().transaction() as connection:
        return ledger.claim(
            connection,
            owner=owner,
            limit=_AT_ONCE,
            max_bytes=_BYTES_AT_ONCE,
            lease_s=_LEASE_S,
            passed_over=passed_over,
        )


@dataclass(frozen=True)
class _Fits:
    """It may be sent: as it is, or to another model, or cut."""

    cut: Shortened | None = None
    chosen: Chosen | None = None


@dataclass(frozen=True)
class _Fails:
    """It won't be sent."""

    problem: Problem
    detail: str


@dataclass(frozen=True)
class _Unanswered:
    """The API said nothing about it."""

    pause_s: float


class _NotAsked(Exception):
    """Other calls of its workspace got no answer, or time is over: this one is left to the next group."""


def _measure(group: Sequence[Unmeasured], paces: Mapping[str, Pace]) -> tuple[int, set[str]]:
    """Measure these, several at once. Returns of how many it is known now, and the workspaces of the others."""
    asker = _Asker(paces)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="measure") as pool:
        judged = dict(zip((item.item_id for item in group), pool.map(asker.look, group), strict=True))
    with process.database().transaction() as connection:
        known = {item_id: judgement for item_id, judgement in judged.items() if isinstance(judgement, (_Fits, _Fails))}
        waiting = ledger.settle(connection, known)
        for item_id in waiting:
            verdict = known[item_id]
            if isinstance(verdict, _Fits) and verdict.chosen is not None:
                ledger.choose(connection, verdict.chosen)
            if isinstance(verdict, _Fits) and verdict.cut is not None:
                ledger.shorten(connection, verdict.cut)
        failures = [
            Arrival(item_id, Fate.FAIL, problem=judgement.problem, detail=judgement.detail)
            for item_id, judgement in known.items()
            if item_id in waiting and isinstance(judgement, _Fails)
        ]
        recorded = outcomes.record(connection, UNSENT, failures, max_attempts=1)
        for item_id, answer in judged.items():
            if isinstance(answer, _Unanswered):
                ledger.try_later(connection, item_id, pause_s=answer.pause_s)
        ledger.release(connection, [item_id for item_id, answer in judged.items() if answer is None])
        newly = {
            workspace: hold
            for workspace, hold in asker.held.items()
            if workspaces.hold(connection, workspace, hold.why, until_resumed=hold.until_resumed)
        }
    for workspace, hold in newly.items():
        log.error("workspace held", workspace=workspace, why=hold.why)
    if recorded.failed:
        log.warning("too long, or refused: not sent", items=recorded.failed, first=failures[0].detail)
    if asker.failures:
        log.warning("items go unmeasured for now", why=asker.failures[0])
    if recorded.due:
        doorbell.ring(routes.DELIVER)
    if known:
        doorbell.ring(routes.PACK)
    return len(known), {item.workspace for item in group if item.item_id not in known}


def _measure_alone(group: Sequence[Unmeasured], paces: Mapping[str, Pace]) -> tuple[int, set[str]]:
    """The same, and a failure of our own keeps no others waiting."""
    answered, unanswered = 0, {item.workspace for item in group}
    with pulse.alone(routes.MEASURE, f"items {group[0].item_id} to {group[-1].item_id}") as tried:
        answered, unanswered = _measure(group, paces)
    if tried.error is not None:
        # nothing of it is recorded: others needn't wait for its lease
        with process.database().transaction() as connection:
            for item in group:
                ledger.try_later(connection, item.item_id, pause_s=_FAILED_PAUSE_S)
    return answered, unanswered


class _Asker:
    """Has a group's prompts counted; safe in threads."""

    def __init__(self, paces: Mapping[str, Pace]) -> None:
        self._paces = paces
        self._give_up_at = time.monotonic() + _GROUP_S
        self._silent = {name: threading.Event() for name in paces}
        """By workspace: set when no more calls of it are begun. Other workspaces' go on."""
        self._unanswered_calls: Counter[str] = Counter()
        self.failures: list[str] = []
        """Why calls got no answer."""
        self.held: dict[str, protocol.HoldWorkspace] = {}
        """Workspaces that money or permission stands in the way of, and why."""

    def look(self, item: Unmeasured) -> _Fits | _Fails | _Unanswered | None:
        """What becomes of one item; None when the API wasn't asked."""
        with pulse.alone(routes.MEASURE, f"item {item.item_id}", again_in_s=_FAILED_PAUSE_S) as tried:
            return self._look(item)
        self.failures.append(pulse.said(tried.error or Exception()))
        return _Unanswered(_FAILED_PAUSE_S)

    def _look(self, item: Unmeasured) -> _Fits | _Fails | _Unanswered | None:
        lane = settings().lane(item.lane)
        chooses = item.chooses and bool(lane.models)
        if lane.max_input_tokens is None and not chooses:
            return _Fits()  # it has no limit any more
        try:
            api.client(item.workspace)
            params = exact_json.loads(item.whole)
            chosen = None
            if chooses:
                params, chosen = choosing.choose(item, lane, lambda asked: self._count(item, asked))
            if lane.max_input_tokens is None:
                return _Fits(chosen=chosen)
            judged = self._judged(item, params, lane, lane.max_input_tokens)
            return judged if isinstance(judged, _Fails) else _Fits(judged.cut, chosen)
        except _NotAsked:
            return None
        except BadSettings as error:
            self.held[item.workspace] = protocol.HoldWorkspace(str(error))
            return None
        except api.ApiUnavailable as error:
            return self._refused(item, error) if is_refusal(error) else self._unanswered(item, error)

    def _refused(self, item: Unmeasured, error: api.ApiUnavailable) -> _Fits | _Fails:
        """It fails where the API's words prove it invalid, whole; else it is sent as it is, uncounted."""
        words = verdict(error)
        if words is not None and not divide(exact_json.loads(item.whole)).left_out:
            return _Fails(Problem.REJECTED, words)
        log.warning("sent although it can't be counted", item_id=item.item_id, why=words_of(error))
        return _Fits()

    def _judged(self, item: Unmeasured, params: Mapping[str, object], lane: Lane, max_tokens: int) -> _Fits | _Fails:
        tokens = self._count(item, params)
        if tokens <= max_tokens:
            return _Fits()
        left_out = divide(params).left_out
        apart = f" without what it doesn't count ({', '.join(left_out)})" if left_out else ""
        has = f"its prompt has {tokens:,} tokens, as the API counts them{apart}"
        long = f"{has}, and lane {item.lane} takes {max_tokens:,} at most"
        if lane.when_longer == "refuse":
            return _Fails(Problem.TOO_LONG, f"{long}: shorten it, or raise the lane's max_input_tokens")
        if item.cuttable is None:
            return _Fails(Problem.TOO_LONG, f"{long}: shorten it, or name its text that may be cut (`cuttable`)")
        if text_at(params, item.cuttable) is None:
            return _Fails(Problem.TOO_LONG, f"{long}: there is no text at {item.cuttable}, which may be cut")
        shorter = cutting.cut(
            params,
            item.cuttable,
            tokens=tokens,
            max_tokens=max_tokens,
            count=lambda changed: self._count(item, changed),
        )
        if isinstance(shorter, cutting.TooLong):
            return _Fails(
                Problem.TOO_LONG, f"{long}: without {item.cuttable}, which may be cut, it still has {shorter.tokens:,}"
            )
        return _Fits(_shortened(item, shorter, tokens))

    def _count(self, item: Unmeasured, params: Mapping[str, object]) -> int:
        now = time.monotonic()
        wait_s = self._paces[item.workspace].take(now)
        is_late = now + wait_s > self._give_up_at
        if is_late or self._silent[item.workspace].wait(wait_s) or item.workspace in self.held:
            raise _NotAsked
        return _count_tokens(item, params)

    def _unanswered(self, item: Unmeasured, error: api.ApiUnavailable) -> _Fits | _Fails | _Unanswered | None:
        self.failures.append(str(error))
        reply = Reply(error.status, last_byte_authorized=False, text=str(error), error_code=error.error_code)
        match protocol.classify_create_reply(reply, releases=item.tries):
            case protocol.HoldWorkspace() as hold:
                self.held[item.workspace] = hold
                return None
            case protocol.Reject():
                return self._refused(item, error)  # asked again, it would refuse again
            case protocol.SlowDown(_, pause_s):
                self._silent[item.workspace].set()
            case protocol.NotCreated(_, pause_s):
                pass
            case _:
                pause_s = min(_CALL_S * 2.0 ** min(item.tries, 10), _LONGEST_PAUSE_S)
        self._unanswered_calls[item.workspace] += 1
        if self._unanswered_calls[item.workspace] >= _FAILURES:
            self._silent[item.workspace].set()
        return _Unanswered(error.retry_after_s or pause_s)


def _count_tokens(item: Unmeasured, params: Mapping[str, object]) -> int:
    headers = {"anthropic-version": item.api_version}
    if item.betas:
        headers["anthropic-beta"] = item.betas
    return api.count_tokens(item.workspace, counted(divide(params).rest), headers=headers, timeout_s=_CALL_S)


def _shortened(item: Unmeasured, shorter: cutting.Cut, tokens: int) -> Shortened:
    """As it is kept: without its prefix still, unless that was what was cut."""
    whole = exact_json.dumps(shorter.params)
    own = None if item.prefix is None else item.prefix.own_part(whole)
    size = len(whole) + (0 if own is None else MARK_BYTES)
    return Shortened(item.item_id, own or whole, own is not None, size, tokens, shorter.tokens)
