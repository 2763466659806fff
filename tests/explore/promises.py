"""What must be true: in every state, in every step, and of a state in which everything has come to rest."""

from __future__ import annotations

from collections.abc import Iterator

from overnight_models.states import BATCH, ITEM
from tests.explore.ledger import UNDER_WAY
from tests.explore.rules import Bounds
from tests.explore.world import END, FORGOTTEN, NONE, Look, Reader, Slot, World, bits


def broken(before: World, after: World) -> Iterator[str]:
    """The promises that a step breaks. A restore itself breaks none: what it takes back was never promised."""
    if after.epoch != before.epoch:
        return
    yield from _broken_submissions(before, after)
    for number, (was, now) in enumerate(zip(before.items, after.items, strict=True)):
        if was is now or was == now:
            continue
        if was.state in ITEM.final and (was.state, was.answer) != (now.state, now.answer):
            yield f"item {number} was {was.state} and is {now.state}: a final outcome changed"
        if now.state == "batched" and now.batch == NONE:
            yield f"item {number} is in no batch and says it is"
        if now.state in ("waiting", "canceled", "failed") and was.state != now.state:
            reader = NONE if now.state == "canceled" else after.reader.submission
            for n in _living(after, was.batch, without=reader):
                if after.submissions[n].body >> number & 1:
                    yield f"item {number} is {now.state} while submission {n} of it is {after.submissions[n].state}"
    for batch, (was_in, is_in) in enumerate(zip(before.batches, after.batches, strict=False)):
        if is_in != was_in and is_in in ("split", "failed", "canceled"):
            for n in _living(after, batch):
                yield f"batch {batch} is {is_in} while submission {n} of it is {after.submissions[n].state}"


def _living(world: World, batch: int, without: int = NONE) -> Iterator[int]:
    for n, row in enumerate(world.submissions):
        if row.batch == batch and n != without and (row.state in (*UNDER_WAY, "open") or row.known):
            yield n


def _broken_submissions(before: World, after: World) -> Iterator[str]:
    if len(after.submissions) > len(before.submissions):
        new = len(before.submissions)
        for other in after.relatives(new):
            if other.state in (*UNDER_WAY, "open") or (other.state in ("lost", "void") and other.api_id != NONE):
                yield f"a batch is claimed while a submission of it is {other.state}"
    for n, (was, now) in enumerate(zip(before.submissions, after.submissions, strict=False)):
        create = after.creates[n]
        if was is not now:
            if now.api_id != NONE and after.token(now.api_id) != after.token(n):
                yield f"submission {n} has the id of batch {now.api_id}, which isn't its own"
            if now.let_go and not was.let_go and any(other.known for other in before.relatives(n)):
                yield f"submission {n} is let go although an earlier one of its batch is known to live"
        if now.state == "void" and create.place in ("wire", "there") and not create.denied:
            yield f"submission {n} is void, and was created or may be"
        if create.place == "wire" and before.creates[n].place != "wire":
            yield from _sent_again(after, n)
    if sum(row.state in UNDER_WAY for row in after.submissions) > len({row.batch for row in after.submissions}):
        yield "two submissions of one batch are under way"
    for was_slot, slot in zip(before.slots, after.slots, strict=True):
        if was_slot.at != "created" or slot.at != "noted":
            continue
        noted = after.submissions[slot.submission]
        if noted.api_id == NONE and noted.state != FORGOTTEN:
            yield f"the API id of submission {slot.submission} came late and was thrown away"


def _sent_again(world: World, n: int) -> Iterator[str]:
    for other, create in enumerate(world.creates):
        if other == n or create.late:
            continue
        for item in bits(world.submissions[n].body & world.submissions[other].body):
            if create.may_bill(item):
                yield f"PAID TWICE: item {item} is sent with submission {n} while {other} may still run or be billed"
                return


def at_rest(world: World, bounds: Bounds) -> bool:
    """Everything has come home: nothing runs, nothing is open, every answer is billed, every double is shown."""
    return (
        all(slot == Slot() for slot in world.slots)
        and all(look == Look() for look in world.looks)
        and world.reader == Reader()
        and (not world.moved and world.looking == NONE)
        and all(_is_over(world, n) for n in range(len(world.submissions)))
        and all(_rests(world, batch, bounds) for batch in range(len(world.batches)))
        and all(_is_home(world, number, bounds) for number in range(len(world.items)))
        and {(world.submissions[by].api_id, item) for by, item, _ in world.bill} == _billed_by_the_api(world)
        and all(_kept_once(world, number) for number in range(len(world.items)))
    )


def _is_over(world: World, n: int) -> bool:
    """What is at the API is recorded, on whatever row bears its id; a row is over."""
    create, state = world.creates[n], world.submissions[n].state
    if create.place == "there":
        bearer = world.bearer(n)
        return bool(create.results) and bearer != NONE and world.submissions[bearer].state == "done"
    return create.place != "wire" and state in ("void", "lost", "done", FORGOTTEN)


def _no_more_claims(world: World, bounds: Bounds) -> bool:
    """The model's end, not the product's."""
    return world.attempts == bounds.submissions or world.now == END


def _rests(world: World, batch: int, bounds: Bounds) -> bool:
    state = world.batches[batch]
    return state in BATCH.final or (state == "packed" and _no_more_claims(world, bounds))


def _is_home(world: World, number: int, bounds: Bounds) -> bool:
    item = world.items[number]
    if item.state in ITEM.final:
        return True
    if item.state == "batched":
        return world.batches[item.batch] == "packed" and _no_more_claims(world, bounds)
    return item.state == "waiting" and _no_more_claims(world, bounds)


def _billed_by_the_api(world: World) -> set[tuple[int, int]]:
    return {
        (n, item)
        for n, create in enumerate(world.creates)
        for item in bits(world.submissions[n].body)
        if create.place == "there" and create.may_bill(item)
    }


def _kept_once(world: World, number: int) -> bool:
    """The answer that an item keeps is billed as kept, and every other one as paid twice."""
    item = world.items[number]
    kept = [by for by, billed, is_kept in world.bill if billed == number and is_kept]
    return kept == ([item.answer] if item.state == "succeeded" else [])
