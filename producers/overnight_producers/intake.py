"""The intake: items as a product hands them over, checked, and as lines that fill messages."""

from __future__ import annotations

from typing import Literal

from overnight_models.errors import BadItem
from overnight_models.wire.item_check import item_faults, lane_faults
from overnight_models.wire.message import Filling, ItemLine, Line
from overnight_models.wire.policy import Policy
from overnight_producers.item import Item, cut, line_of
from overnight_producers.receipts import Sent
from overnight_producers.steps import NEXT_ITEM, Steps
from overnight_producers.warner import Warner
from overnight_producers.wire import Wire


class Intake:
    """Checks items."""

    def __init__(self, wire: Wire, warner: Warner) -> None:
        self._wire = wire
        self._warner = warner

    def checked(
        self,
        item: Item,
        lane: str,
        *,
        in_transaction: bool,
        patient: bool = False,
        index: int | None = None,
        item_id: str | None = None,
    ) -> Steps[tuple[ItemLine, Line, tuple[str, ...]]]:
        """The item as it travels, whole and as it is sent, and what is likely to go wrong with it. Raises BadItem.

        in_transaction: it goes into the product's own database, not to Redis.
        patient: whoever sends it waits for a Redis that is away; until then the last policy that was read checks it.
        """
        wire = self._wire
        try:
            line, written = line_of(item, redis_url=wire.url, item_id=item_id)
        except BadItem as error:
            raise BadItem(error.faults, key=error.key, index=index) from error.__cause__
        policy = yield from self._policy(in_transaction or patient)
        if policy is not None:
            may_hold_nul = b"\\" in written and b"\\u0000" in written
            faults = item_faults(line, lane=lane, size=len(written), policy=policy, may_hold_nul=may_hold_nul)
            if faults:
                raise BadItem(faults, key=item.key, index=index)
        warnings = self._warner.warnings(line["params"], item.betas)
        if in_transaction:  # whole: Redis may lose a prefix before the relay comes
            return line, Line(index or 0, written, None), warnings
        return line, cut(line, written, wire.cutter, index=index or 0), warnings

    def check_lane(self, lane: str, *, in_transaction: bool) -> Steps[None]:
        """Raises BadItem when there is no such lane."""
        policy = yield from self._policy(in_transaction)
        if policy is not None and lane_faults(lane, policy):
            raise BadItem(lane_faults(lane, policy))

    def _policy(self, without_redis: bool) -> Steps[Policy | None]:
        """What the workers published. Raises Unreachable, unless it goes on `without_redis`, as in a transaction."""
        return self._wire.last_policy() if without_redis else self._wire.policy()


class Groups:
    """Reads items, in groups that fit one message each. Flat: holds one group at a time.

    sent: notes those that are bad or without a key, and warnings.
    bad: "raise" ends it at the first bad item.
    patient: see `Intake.checked`.
    """

    def __init__(self, intake: Intake, sent: Sent, bad: Literal["collect", "raise"], *, patient: bool = False) -> None:
        self._intake = intake
        self._sent = sent
        self._bad = bad
        self._patient = patient
        self._index = 0
        self._filling = Filling()

    def next(self) -> Steps[list[Line]]:
        """The next group; empty after the last. Raises BadItem."""
        while (item := (yield NEXT_ITEM)) is not None:
            line = yield from self._line(item)
            if line is not None and (group := self._filling.add(line)) is not None:
                return group
        return self._filling.rest()

    def _line(self, item: Item) -> Steps[Line | None]:
        """An item's line; None when it is bad."""
        sent, index = self._sent, self._index
        self._index += 1
        try:
            _, line, warnings = yield from self._intake.checked(
                item,
                sent.lane,
                in_transaction=sent.in_transaction,
                patient=self._patient,
                index=index,
                item_id=sent.item_id(index),
            )
        except BadItem as error:
            if self._bad == "raise":
                raise
            sent.bad.append(error)
            return None
        if item.key is None:
            sent.note_unnamed(index)
        for warning in warnings:
            sent.warnings[warning] += 1
        return line
