"""The filter of items: which of them an operator means, the same for each list and for each action."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final

from overnight_models.ledger import hand_overs
from overnight_models.ledger.answer import key_hash
from overnight_models.ledger.run_items import items_of, source_and_order
from overnight_models.states import ITEM

ANY_PROBLEM: Final = "any"
"""Every item that isn't ok."""
OF_KEY: Final = "lane_id IN (SELECT id FROM lane) AND key_hash = :key_hash"
"""Of `item_key`: the newest items of a key, one a lane at most. The keys' index begins with the lane."""
OF_QUEUE: Final = "(SELECT id FROM target WHERE queue = :queue)"
"""Of `target`: a queue of this name at each broker that has one, or the webhook of this name."""
_WITH_PROBLEM: Final = ", ".join(f"'{state}'" for state in (*sorted(ITEM.final - {"succeeded"}), "following"))
_SAID: Final = ("key", "late")
"""Fields that aren't told to `where` as they are."""


@dataclass(frozen=True, kw_only=True)
class ItemFilter:
    """Which items are meant; what is None doesn't matter. Names of lanes, tenants, runs and models, not numbers."""

    lane: str | None = None
    workspace: str | None = None
    """Whose API key sends it."""
    tenant: str | None = None
    run: str | None = None
    state: str | None = None
    problem: str | None = None
    """Its outcome's; "any" for every item that isn't ok."""
    model: str | None = None
    """As its request calls it."""
    enqueued_since: datetime | None = None
    """Only what was accepted then or later; also what has taken another's place since then."""
    enqueued_before: datetime | None = None
    key: str | None = None
    """A key may stand in several lanes."""
    key_prefix: str | None = None
    batch_id: int | None = None
    delivery: str | None = None
    """The state of its delivery."""
    queue: str | None = None
    """Where its outcome goes: a queue of whichever broker, or a webhook by its name."""
    late: bool | None = None
    """True: only what missed its deadline, or is late already."""
    ids: tuple[int, ...] | None = None
    """Only of these, by their numbers: what a person has selected."""

    @property
    def is_everything(self) -> bool:
        """Nothing narrows it down."""
        return not self.narrowed

    @property
    def narrowed(self) -> dict[str, object]:
        """What narrows it down, by the field's name."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in given.items() if value is not None and value is not False}

    @property
    def source(self) -> str:
        """For FROM: `item`, and the tables beside it that the conditions are about."""
        return self.source_between()

    def items(self, first: str = "", last: str = "", *, backwards: bool = False) -> str:
        """For FROM: `item`, only those of the run where one is wanted. first, last: see `items_of`."""
        return "item" if self.run is None else items_of(first=first, last=last, backwards=backwards)

    def order(self, *, backwards: bool = False) -> str:
        """For ORDER BY: by the items' ids."""
        return source_and_order(self.run, backwards=backwards)[1]

    def source_between(self, first: str = "", last: str = "", *, backwards: bool = False) -> str:
        """The same as `source` where only ids between these are wanted; `where` doesn't say that."""
        may_have_no_row = self.delivery in hand_overs.STATES_WITHOUT_ROW
        joins = {
            "JOIN request ON request.item_id = item.id": (self.key_prefix, self.enqueued_since, self.enqueued_before),
            "LEFT JOIN outcome ON outcome.item_id = item.id": (self.problem, self.late, may_have_no_row),
            f"{'LEFT ' if may_have_no_row else ''}JOIN delivery ON delivery.item_id = item.id": (self.delivery,),
        }
        items = self.items(first, last, backwards=backwards)
        return " ".join([items, *(join for join, wishes in joins.items() if any(wishes))])

    @property
    def where(self) -> str:
        """The condition, to be used with `source` and `values`; "true" when nothing is narrowed."""
        state = hand_overs.STATE if self.delivery in hand_overs.STATES_WITHOUT_ROW else "delivery.state"
        conditions = {
            "item.lane_id = (SELECT id FROM lane WHERE name = :lane)": self.lane,
            "item.headers_id IN (SELECT id FROM headers WHERE workspace = :workspace)": self.workspace,
            "item.tenant_id = (SELECT id FROM tenant WHERE name = :tenant)": self.tenant,
            "item.state = :state": self.state,
            # the narrow row first: few items have a problem, and outcomes are wide
            f"item.state IN ({_WITH_PROBLEM}) AND outcome.problem IS NOT NULL": self.problem,
            "outcome.problem = :problem": None if self.problem == ANY_PROBLEM else self.problem,
            "item.model_id = (SELECT id FROM model WHERE name = :model)": self.model,
            "request.enqueued_at >= :enqueued_since": self.enqueued_since,
            "request.enqueued_at < :enqueued_before": self.enqueued_before,
            f"item.id IN (SELECT item_id FROM item_key WHERE {OF_KEY})": self.key,
            "starts_with(request.key, :key_prefix)": self.key_prefix,
            "item.batch_id = :batch_id": self.batch_id,
            f"{state} = :delivery": self.delivery,
            f"item.target_id IN {OF_QUEUE}": self.queue,
            "item.id = ANY(:ids)": self.ids,
            "item.deadline < coalesce(outcome.finished_at, now())": self.late or None,
        }
        return " AND ".join(condition for condition, value in conditions.items() if value is not None) or "true"

    @property
    def values(self) -> dict[str, object]:
        """What `where` is told."""
        values: dict[str, object] = {"key_hash": None if self.key is None else key_hash(self.key)}
        values["ids"] = None if self.ids is None else list(self.ids)
        values["problem"] = None if self.problem == ANY_PROBLEM else self.problem
        return {
            name: value
            for name, value in {**self.narrowed, **values}.items()
            if value is not None and name not in _SAID
        }
