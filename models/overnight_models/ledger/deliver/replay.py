"""Replaying: outcomes that were given up, or that a product has lost, are sent again on an operator's word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from overnight_models.ledger import hand_overs
from overnight_models.ledger.answer import key_hash
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.hand_overs import DELIVERED_WITHOUT_ROW
from overnight_models.ledger.rows import execute, fetch_column, fetch_only_value
from overnight_models.ledger.run_items import NAMED, ORDER, items_of
from overnight_models.states import DELIVERY

_WITHOUT_ROW: Final = (
    f"(SELECT item.id AS item_id, item.lane_id, item.target_id FROM {DELIVERED_WITHOUT_ROW}) AS delivery"
)
"""Deliveries that are over and have no row, in the place of those that have."""


@dataclass(frozen=True)
class Replayed:
    """Which deliveries are sent again; what is None doesn't matter."""

    state: Literal["dead", "delivered"] = "dead"
    lane: str | None = None
    run: str | None = None
    key: str | None = None
    """A key may stand in several lanes."""
    since: datetime | None = None
    """Only what finished then or later."""
    ids: Sequence[int] | None = None
    """Only of these items, by their numbers."""
    queue: str | None = None
    """Where they go: a queue of whichever broker, or a webhook by its name."""

    @property
    def is_everything(self) -> bool:
        """Nothing narrows it down."""
        return all(value is None for value in (self.lane, self.run, self.key, self.since, self.ids, self.queue))


def count(connection: Connection, wanted: Replayed) -> int:
    """How many deliveries it is about."""
    conditions, joins, values = _chosen(wanted)
    counted = f"SELECT count(*) FROM delivery {joins} WHERE delivery.state = '{wanted.state}' {conditions}"
    n = fetch_only_value(connection, int, counted, **values)
    if wanted.state == "delivered":
        counted = f"SELECT count(*) FROM {_WITHOUT_ROW} {joins} WHERE true {conditions}"
        n += fetch_only_value(connection, int, counted, **values)
    return n


def replay(connection: Connection, wanted: Replayed, *, after: int, until: int, limit: int) -> tuple[int, int]:
    """One group of them is due again: the same delivery id, the next generation, its tries counted anew.

    after: the item that the group before ended with; 0 at first. In the order of items, so that one that has been
    delivered again meanwhile isn't met a second time.

    until: the newest item of when the wish was uttered.

    Returns how many, and the last one's item: there may be more while that isn't 0.
    """
    conditions, joins, values = _chosen(wanted, first=":after", last=":until")
    if wanted.state == "delivered":
        _give_rows(connection, wanted, after=after, until=until, limit=limit)
    ids = fetch_column(
        connection,
        int,
        f"""
        SELECT delivery.item_id FROM delivery {joins}
        WHERE delivery.state = '{wanted.state}' AND delivery.item_id > :after
          AND delivery.item_id <= :until {conditions}
        ORDER BY {_order(wanted)} LIMIT :limit FOR UPDATE OF delivery
        """,
        after=after,
        until=until,
        limit=limit,
        **values,
    )
    replayed = execute(
        connection,
        f"""
        UPDATE delivery
        SET {DELIVERY.replay.set}, generation = generation + 1, tries = 0, error = NULL, due_at = now()
        WHERE item_id = ANY(:ids) AND {DELIVERY.replay.where}
        """,
        ids=ids,
    )
    return replayed, max(ids, default=0)


def _give_rows(connection: Connection, wanted: Replayed, *, after: int, until: int, limit: int) -> None:
    """The first of the wanted that have no row get one: whichever are the first of all have one then."""
    conditions, joins, values = _chosen(wanted, first=":after", last=":until")
    ids = fetch_column(
        connection,
        int,
        f"""
        SELECT delivery.item_id FROM {_WITHOUT_ROW} {joins}
        WHERE delivery.item_id > :after AND delivery.item_id <= :until {conditions}
        ORDER BY {_order(wanted)} LIMIT :limit
        """,
        after=after,
        until=until,
        limit=limit,
        **values,
    )
    if ids:
        hand_overs.give_rows_to_delivered(connection, ids)


def _order(wanted: Replayed) -> str:
    """By the items' ids."""
    return "delivery.item_id" if wanted.run is None or wanted.state == "dead" else ORDER


def _chosen(wanted: Replayed, first: str = "", last: str = "") -> tuple[str, str, dict[str, object]]:
    """Conditions, joins and values. first, last: as for `items_of`."""
    conditions = {
        "delivery.lane_id = (SELECT id FROM lane WHERE name = :lane)": wanted.lane,
        "delivery.item_id IN (SELECT item_id FROM item_key WHERE key_hash = :key_hash)": wanted.key,
        "outcome.finished_at >= :since": wanted.since,
        "delivery.item_id = ANY(:chosen_ids)": wanted.ids,
        "delivery.target_id IN (SELECT id FROM target WHERE queue = :queue)": wanted.queue,
    }
    chosen = "".join(f" AND {condition}" for condition, value in conditions.items() if value is not None)
    joins = ""
    if wanted.run is not None and wanted.state == "dead":
        # few deliveries are: from them to their items, not from all items of the run
        joins = f"JOIN item ON item.id = delivery.item_id AND item.run_id {NAMED}"
    elif wanted.run is not None:
        joins = f"JOIN {items_of(first=first, last=last)} ON item.id = delivery.item_id"
    joins += "" if wanted.since is None else " JOIN outcome ON outcome.item_id = delivery.item_id"
    values: dict[str, object] = {name: getattr(wanted, name) for name in ("lane", "run", "since", "queue")}
    values["chosen_ids"] = None if wanted.ids is None else list(wanted.ids)
    return chosen, joins, values | {"key_hash": None if wanted.key is None else key_hash(wanted.key)}
