"""The items of a run: where they are, by blocks of ids.

An index with an entry for each item would be written twice in an item's life, and items of a run come by the hundred.
So `run_block` says in which blocks of ids a run has items, and in those they are looked for by the primary key. The
trigger `note_run_blocks` notes them, whoever inserts items.
"""

from __future__ import annotations

from typing import Final

BLOCK: Final = 250
"""Item ids in one block; the trigger divides by the same number, and a partition has a whole number of them."""

NAMED: Final = "= (SELECT id FROM run WHERE name = :run)"
"""The condition that a run's number is the one of this name."""

ORDER: Final = "item.block, item.id"
"""For ORDER BY, the same as by `item.id`; but only so a page costs no more than its own blocks."""
BACKWARDS: Final = "item.block DESC, item.id DESC"


def items_of(run: str = NAMED, *, first: str = "", last: str = "", backwards: bool = False) -> str:
    """For FROM: the items of runs, as `item`, with all its columns and its `block`.

    run: the condition that a run's number is a wanted one.
    first, last: the ids, as SQL, between which items are wanted. Only whole blocks are left out, so the same has to be
    said of `item.id`.
    backwards: they are wanted in the order `BACKWARDS`.
    """
    # LIMIT, which never cuts anything, keeps the planner from joining the other way round: through all items
    return f"""
        (SELECT own.block, part.*
         FROM (
             SELECT DISTINCT block FROM run_block WHERE run_id {run}{_between(first, last)}
             ORDER BY block{" DESC" if backwards else ""}
         ) own
         CROSS JOIN LATERAL (
             SELECT * FROM item
             WHERE id >= own.block::bigint * {BLOCK} AND id < (own.block + 1)::bigint * {BLOCK} AND run_id {run}
             LIMIT {BLOCK}
         ) part) item
    """


def _between(first: str, last: str) -> str:
    """The condition, to follow on another, that a block may have ids between these; each may be empty."""
    bounds = f" AND block >= CAST({first} AS bigint) / {BLOCK}" if first else ""
    return bounds + (f" AND block <= CAST({last} AS bigint) / {BLOCK}" if last else "")


def problems_of_run(first: str, last: str) -> str:
    """For FROM: outcomes with a problem of the run `:run`, as `outcome`, each beside its `item`.

    Only they and their items are read, however many others of the run are fine.

    first, last: the ids, as SQL, between which they are wanted; the same has to be said of `outcome.item_id`.
    """
    return f"""
        (SELECT part.*
         FROM (SELECT DISTINCT block FROM run_block WHERE run_id {NAMED}{_between(first, last)} ORDER BY block) own
         CROSS JOIN LATERAL (
             SELECT * FROM outcome
             WHERE item_id >= own.block::bigint * {BLOCK} AND item_id < (own.block + 1)::bigint * {BLOCK}
               AND problem IS NOT NULL
             LIMIT {BLOCK}
         ) part) outcome
        CROSS JOIN LATERAL (SELECT * FROM item WHERE id = outcome.item_id AND run_id {NAMED} LIMIT 1) item
    """


def of_whole_run(table: str, *, but_redone: bool = True) -> str:
    """For FROM: what a table with one row for each item (`request`, `outcome`) has of the items of the run `:run`.

    Only for questions about all of a run, of whose items nothing else is wanted. Each block's rows are asked for at
    once, by a list of its items: a join would be by single rows as long as statistics don't know a night's items yet,
    and that is three times as much.

    but_redone: without items that were asked again.
    """
    which = " AND state <> 'redone'" if but_redone else ""
    return f"""
        (SELECT part.*
         FROM (SELECT DISTINCT block FROM run_block WHERE run_id {NAMED} ORDER BY block) own
         CROSS JOIN LATERAL (
             SELECT * FROM {table} WHERE item_id = ANY(ARRAY(
                 SELECT id FROM item
                 WHERE id >= own.block::bigint * {BLOCK} AND id < (own.block + 1)::bigint * {BLOCK}
                   AND run_id {NAMED}{which}
             ))
             LIMIT {BLOCK}
         ) part) {table}
    """


def source_and_order(run: str | None, *, backwards: bool, value: str = ":run") -> tuple[str, str]:
    """For FROM and for ORDER BY: the items of a run, or all of them where none is named, by their ids.

    value: the run's name, as SQL.
    """
    if run is None:
        return "item", "item.id DESC" if backwards else "item.id"
    named = f"= (SELECT id FROM run WHERE name = {value})"
    return items_of(named, backwards=backwards), BACKWARDS if backwards else ORDER
