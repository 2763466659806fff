"""Turns: what the stage does in its ledger and its limiter, for many items at once, in a thread of its own.

A turn records what has come, and takes what can be sent now. The event loop never waits for a server in it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from itertools import groupby
from typing import Final, NamedTuple

from sqlalchemy import Connection

from overnight_models import routes
from overnight_models.errors import TransientError
from overnight_models.ledger import direct_calls
from overnight_models.ledger.bodies.encryption import NoKey
from overnight_models.ledger.direct import claim as ledger
from overnight_models.ledger.direct import pauses, places
from overnight_models.ledger.direct.claim import Claim, Taken
from overnight_models.ledger.direct.places import Place
from overnight_models.wire.outcome import Problem
from overnight_workers import limiter, process
from overnight_workers.celery_worker import stopping
from overnight_workers.keys.encryption_keys import ConfiguredKeys
from overnight_workers.limiter import Grant, Wait
from overnight_workers.settings import settings
from overnight_workers.stages import doorbell, pulse
from overnight_workers.stages.direct.first_requests import FirstRequests
from overnight_workers.stages.direct.limits import Expected
from overnight_workers.stages.direct.recording import Done, HandOver, Recorder
from overnight_workers.stages.direct.requests import Request, requests
from overnight_workers.telemetry import logs

LEASE_S: Final = 60.0
"""What a sign of life is good for."""
_SIGN_EVERY_S: Final = 10.0
_SEND_WITHIN_S: Final = 8.0
"""From when a request is let go until its bytes are written.

Whoever gave no sign of life for 20 seconds may be taken for dead, and the last sign may have been 10 seconds before: a
host that stood still sends nothing that others have sent meanwhile."""
_MOST_BYTES: Final = 32_000_000
"""Of requests that are taken at once."""
_AHEAD_S: Final = 0.2
"""A request that may go so soon waits for it here; longer, and it goes back."""
_LOOK_S: Final = 0.3
"""What a look has shown is good for so long: to look costs Postgres more than to take and to let go."""
_CLAIM_S: Final = 300.0
"""A claim takes no more after that: its money is added up when it is done."""

log = logs.get(__name__)


@dataclass(frozen=True)
class Turn:
    """What a turn came to."""

    requests: Sequence[Request] = ()
    """To be sent now: they were let go."""
    deliveries: Sequence[HandOver] = ()
    is_away: bool = False
    """The database is away: what came is kept, and recorded later."""


@dataclass
class _Open:
    """A claim that still takes items."""

    claim: Claim
    since: float


@dataclass
class _Look:
    """Where something was to be sent a moment ago, and whose turn it was there."""

    at: float
    places: Sequence[Place]
    in_turn: dict[Place, Sequence[int]] = field(default_factory=dict)

    @property
    def is_good(self) -> bool:
        """Whether more may be taken by it."""
        return any(self.in_turn.values()) and time.monotonic() - self.at < _LOOK_S


class _There(NamedTuple):
    """What was taken from one place."""

    place: Place
    taken: Taken
    whole: Sequence[Request]
    is_new: bool
    """Its claim was begun for it."""


class Turns:
    """The turns of one run of the stage; used by one thread."""

    def __init__(self) -> None:
        self._open: dict[Place, _Open] = {}
        self._claims: set[int] = set()
        self._signed_at = float("-inf")
        self._owner = 0
        """As it was at the last sign: a claim whose owner is gone is nobody else's before a second sign is overdue."""
        self._expected: dict[tuple[str, str], Expected] = {}
        self._recorder = Recorder(self._expected)
        self._fitting: dict[Place, int | None] = {}
        """How many a place's rate limit let go last, when it didn't let all go."""
        self._paused_until = math.inf
        self._look: _Look | None = None
        self._under_way: set[tuple[int, int]] = set()
        """Claim and item of each request that was handed out to be sent, and hasn't come back."""
        self._was_broken_off = False
        """The last turn was: what it had taken is sent by nobody."""
        self._first_requests = FirstRequests()
        self._keyless_said_at: dict[str, float] = {}
        """When it was said of a lane that its encryption key isn't there, by the monotonic clock."""
        self.taken = 0

    @property
    def pause_ends_in_s(self) -> float:
        """Until something may be sent again that had to wait for the rate limit; infinite when nothing has to."""
        return max(self._paused_until - time.monotonic(), 0.0)

    @property
    def recorded(self) -> int:
        """Calls whose end is recorded."""
        return self._recorder.recorded

    def turn(self, done: Sequence[Done], limit: int) -> Turn:
        """Record what has come, and take what can be sent now. limit: no more than these."""
        self._recorder.add(done)
        self._under_way.difference_update(answer.request.call for answer in done)
        if any(answer.reply.status != HTTPStatus.OK for answer in done):
            self._look = None  # nothing may be sent there any more
        deliveries: list[HandOver] = []
        taken: list[Request] = []
        is_away = False
        try:
            self._sign()
            deliveries = self._recorder.record()
            self._give_back_unsent()
            if limit > 0:
                self._take(limit, taken)
        except TransientError as error:
            is_away = self._was_broken_off = True
            log.warning("the database is away: answers are kept and recorded later", error=str(error))
            self._signed_at, self._look = float("-inf"), None
        # those of the places before it were let go, whatever broke off
        self._under_way.update(request.call for request in taken)
        self.taken += len(taken)
        return Turn(taken, deliveries, is_away)

    @property
    def has_unrecorded(self) -> bool:
        """Whether something came that couldn't be recorded yet."""
        return self._recorder.has_unrecorded

    def close(self) -> None:
        """Nothing more is taken: claims of which nothing is under way are done."""
        try:
            with process.database().quick() as connection:
                ledger.close(connection, self._claims)
        except TransientError as error:
            log.warning("claims are left to the sweep", error=str(error))

    def _sign(self) -> None:
        """A sign of life, now and then."""
        now = time.monotonic()
        if now - self._signed_at < _SIGN_EVERY_S:
            return
        pulse.at_work(routes.DIRECT)
        self._owner = process.database().owner()
        if self._claims:
            with process.database().quick() as connection:
                ledger.extend(connection, self._claims, owner=self._owner, lease_s=LEASE_S)
        self._signed_at = now

    def _give_back_unsent(self) -> None:
        """What a turn had taken that was broken off is where it was: while this process lives nobody else does that."""
        if not self._was_broken_off:
            return
        known = self._under_way | self._recorder.unrecorded
        with process.database().quick() as connection:
            calls = direct_calls.not_ended(connection, self._claims)
        unsent = [call for call in calls if (call.claim_id, call.item_id) not in known]
        for (claim_id, number), of_claim in groupby(unsent, key=lambda call: (call.claim_id, call.number)):
            item_ids = [call.item_id for call in of_claim]
            with process.database().quick() as connection:
                ledger.give_back(connection, claim_id, number, item_ids)
            log.warning("taken, and not sent: given back", claim_id=claim_id, items=len(item_ids))
        self._was_broken_off = False

    def _take(self, limit: int, requests: list[Request]) -> None:
        """Take what is to be sent now, from one place after the other, until there is no room for more.

        requests: to which they are added as soon as they are let go.
        """
        lanes = settings().lanes
        if self.pause_ends_in_s == 0:
            self._paused_until = math.inf
        with process.database().quick() as connection:
            look = self._look
            if look is None or not look.is_good:
                look = self._look = _Look(time.monotonic(), places.sources(connection, lanes))
            sources = [place for place in look.places if self._can_be_recorded(place)]
            # most often it is the only one, and each transaction more costs as much as some items
            first = self._take_there(connection, look, sources[0], limit) if sources else None
        if first is not None:
            requests += self._to_be_sent(first)
        for place in sources[1:]:
            if len(requests) >= limit or stopping.is_stopping():
                break
            with process.database().quick() as connection:
                taken = self._take_there(connection, look, place, limit - len(requests))
            requests += self._to_be_sent(taken)
        if len(requests) >= limit:
            # another worker may begin with the rest
            doorbell.ring(routes.DIRECT)

    def _can_be_recorded(self, place: Place) -> bool:
        """Whether its answers could be written: what is sent is paid. Where a key isn't there, nothing is sent."""
        try:
            ConfiguredKeys().of_lane(place.lane)
        except NoKey as error:
            if time.monotonic() - self._keyless_said_at.get(place.lane, -math.inf) > _SIGN_EVERY_S:
                self._keyless_said_at[place.lane] = time.monotonic()
                pulse.lanes_went(routes.DIRECT, (), {place.lane: str(error)})
            return False
        pulse.lanes_went(routes.DIRECT, (place.lane,), {})
        return True

    def _take_there(self, connection: Connection, look: _Look, place: Place, limit: int) -> _There:
        opened = self._open.get(place)
        if opened is not None and time.monotonic() - opened.since > _CLAIM_S:
            opened = None
        claim = None if opened is None else opened.claim
        limit, in_turn = min(limit, self._fitting.get(place) or limit), look.in_turn.get(place, ())
        taken = self._take_of(connection, place, claim, in_turn, limit)
        if in_turn and not (taken.asked or taken.held):
            # others have taken all of those
            taken = self._take_of(connection, place, claim, (), limit)
        look.in_turn[place] = taken.next_in_turn
        whole = [] if taken.claim is None else requests(connection, taken.claim, taken.asked)
        return _There(place, taken, whole, is_new=opened is None or opened.claim != taken.claim)

    def _take_of(
        self, connection: Connection, place: Place, claim: Claim | None, in_turn: Sequence[int], limit: int
    ) -> Taken:
        lane = settings().lanes[place.lane]
        return ledger.take(
            connection,
            place,
            claim,
            process.prices(),
            owner=self._owner,
            lease_s=LEASE_S,
            limit=limit,
            max_bytes=_MOST_BYTES,
            counts_first=lane.counts_first,
            in_turn=in_turn,
            max_calls=lane.max_calls,
            chain_cap_nano=lane.max_cost_per_trace,
        )

    def _to_be_sent(self, there: _There) -> list[Request]:
        """What of those that were taken may be sent now; its taking is committed."""
        place, claim, whole = there.place, there.taken.claim, there.whole
        if there.taken.held:
            log.warning("held: over budget", lane=place.lane, items=there.taken.held)
        if claim is None:
            return []
        if there.is_new:
            self._open[place] = _Open(claim, time.monotonic())
            self._claims.add(claim.id)
        if settings().lanes[place.lane].check_first:
            whole = self._checked(whole)
        return self._authorize(claim, self._within_limits(claim, whole))

    def _checked(self, whole: Sequence[Request]) -> list[Request]:
        """Those that the API doesn't refuse, as far as it was asked."""
        words = self._first_requests.refused(whole)
        for request in whole if words else ():
            if request.asked.item_id in words:
                self._recorder.refuse(request, words[request.asked.item_id], Problem.REJECTED)
        return [request for request in whole if request.asked.item_id not in words]

    def _within_limits(self, claim: Claim, whole: Sequence[Request]) -> list[Request]:
        """Those that the account's rate limit lets go now; the others go back, and nothing is sent there meanwhile."""
        if not whole:
            return []
        place = claim.place
        needs = self._expected.setdefault((place.lane, place.model), Expected()).needs(
            [request.asked for request in whole]
        )
        answers = limiter.acquire(place.workspace, place.model, needs, _AHEAD_S)
        granted: list[Request] = []
        waits: list[tuple[Request, Wait]] = []
        for request, answer in zip(whole, answers, strict=True):
            if isinstance(answer, Grant):
                granted.append(replace(request, grant=answer))
            elif isinstance(answer, Wait):
                waits.append((request, answer))
            else:
                self._recorder.refuse(request, str(answer))
        if waits:
            first = min(waits, key=lambda wait: wait[1].seconds)[1]
            with process.database().quick() as connection:
                ledger.give_back(connection, claim.id, claim.number, [request.asked.item_id for request, _ in waits])
                pauses.pause(connection, place, f"rate limit: {first.bucket}", pause_s=first.seconds)
            self._paused_until, self._look = min(self._paused_until, time.monotonic() + first.seconds), None
        # as many as may go now and in a moment: more would be taken and given back
        self._fitting[place] = max(2 * len(granted), 1) if waits else None
        return granted

    def _authorize(self, claim: Claim, whole: Sequence[Request]) -> list[Request]:
        """Say durably that their bytes are about to be written."""
        if not whole:
            return []
        send_by = time.monotonic() + _SEND_WITHIN_S
        with process.database().quick() as connection:
            ours = ledger.authorize_calls(connection, claim.id, [request.asked.item_id for request in whole])
        if not ours:
            # the sweep took this process for dead, and brings them home
            log.warning("its lease ran out before anything was sent", claim_id=claim.id)
            self._open.pop(claim.place, None)
            self._look = None
            return []
        return [replace(request, send_by=send_by) for request in whole]
