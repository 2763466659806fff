"""The ledger's statements that settle items: collect.py, outcomes.py, rejected.py, pack.py and cancel.py."""

from __future__ import annotations

from typing import Final

from tests.explore.ledger import lives, members, sent_before
from tests.explore.rules import Bounds, Part
from tests.explore.world import NONE, World, bits

MAX_ATTEMPTS: Final = 2
_READS_BEFORE_GIVING_UP: Final = 2


def only_live(world: World, number: int, bounds: Bounds) -> bool:
    """collect.claim and collect.finish: NOT _OTHER_LIVES."""
    return Part.R8_ERRORS in bounds.without or not any(lives(row, bounds) for row in world.others(number))


def record(world: World, number: int, results: str, only: bool, bounds: Bounds) -> World:
    """outcomes.record: successes go to any item that isn't final, errors only to the batch's own."""
    for item, result in enumerate(results):
        if result == "S":
            kept = world.move_item("succeed", item, answer=number)
            world = _bill(kept or world, number, item, bounds)
        elif result in "EF" and only and world.items[item].batch == world.submissions[number].batch:
            row = world.items[item]
            again = result == "E" and row.attempts + 1 < MAX_ATTEMPTS and not row.cancel_wanted
            attempts = row.attempts + 1
            changed = (
                world.move_item("retry", item, attempts=attempts, batch=NONE)
                if again
                else world.move_item("fail", item, attempts=attempts, answer=number)
            )
            world = changed or world
    return world


def _bill(world: World, number: int, item: int, bounds: Bounds) -> World:
    if any(billed == item and (by == number or Part.R8_BILL in bounds.without) for by, billed, _ in world.bill):
        return world
    kept = world.items[item].answer == number
    return world._replace(bill=world.bill | {(number, item, kept)})


def give_up_missing(world: World, number: int, results: str, only: bool, bounds: Bounds) -> World:
    """collect._give_up_missing: lines that never came."""
    if not only and Part.R8_GIVE_UP not in bounds.without:
        return world
    for item in bits(members(world, world.submissions[number].batch)):
        if results[item] == "-":
            world = world.move_item("fail", item, answer=number) or world
    return world


def gives_up(reads: int) -> bool:
    """Enough whole reads missed the same lines."""
    return reads >= _READS_BEFORE_GIVING_UP


def schedule_retry(world: World, number: int) -> World:
    """collect.schedule_retry, of a reading that missed lines."""
    return world.move_batch("miss", world.submissions[number].batch) or world


def finish(world: World, number: int, bounds: Bounds) -> World:
    """collect.finish, once its answer is yes."""
    done = world.move_submission("finish", number) or world
    if any(lives(row, bounds) for row in done.others(number)):
        return done
    return done.move_batch("collect", world.submissions[number].batch) or done


# --- rejected.py, pack.py, cancel.py -------------------------------------------------------------------------------


def divide(world: World, batch: int, bounds: Bounds) -> World | None:
    """rejected.take_rejected, then divide; or give_up when one item is left, or none."""
    if Part.R7_DIVIDE not in bounds.without and sent_before(world, batch, bounds):
        return None
    inside = bits(members(world, batch))
    if len(inside) <= 1:
        given_up = world.move_batch("give_up", batch)
        return given_up.move_item("fail", inside[0]) if given_up is not None and inside else given_up
    divided = world.move_batch("divide", batch)
    if divided is None:
        return None
    parts = len(world.batches)
    divided = divided._replace(batches=(*divided.batches, "packed", "packed"), parents=(*divided.parents, batch, batch))
    for number, item in enumerate(inside):
        divided = divided.item(item, divided.items[item]._replace(batch=parts + number))
    return divided


def pack(world: World) -> World | None:
    """pack.pack: everything that waits."""
    waiting = [number for number, item in enumerate(world.items) if item.state == "waiting"]
    if not waiting:
        return None
    packed = world._replace(batches=(*world.batches, "packed"), parents=(*world.parents, NONE))
    for number in waiting:
        packed = packed.move_item("pack", number, batch=len(world.batches)) or packed
    return packed


def cancel(world: World, number: int) -> World:
    """cancel.cancel."""
    item = world.items[number]
    world = world.item(number, item._replace(cancel_wanted=True))
    if item.batch != NONE and world.batches[item.batch] == "packed":
        return world.move_item("unpack", number) or world
    return world.move_item("cancel", number) or world
