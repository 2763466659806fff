"""What submitters do (`submit._submit`, step by step), and what the API and time do to them."""

from __future__ import annotations

from functools import cache
from typing import Final

from overnight_workers.anthropic_api.api import Reply
from overnight_workers.stages import protocol
from tests.explore import ledger
from tests.explore.rules import Bounds, Fault, Part
from tests.explore.world import (
    END,
    FORGOTTEN,
    GONE,
    NONE,
    STRANGER,
    Create,
    Slot,
    Step,
    Steps,
    Submission,
    World,
    bits,
    fails,
)

IDLE: Final = Slot()
_BEYOND: Final = 5
"""Ticks by which a late listing misses its allowance."""


@cache
def concluded(status: int | None, authorized: bool, api_id: str | None = None) -> str:
    """What a submitter goes on to do with a reply: what `protocol.conclude` says."""
    match protocol.classify_create_reply(Reply(status, authorized, api_id=api_id), releases=0):
        case protocol.Created():
            return "created"
        case protocol.Unclear():
            return "doubtful"
        case protocol.Reject():
            return "rejected"
        case _:
            return "not created"


def submitters(world: World, bounds: Bounds) -> Steps:
    """Every step that a submitting process may take."""
    for number, slot in enumerate(world.slots):
        if slot.at == "idle":
            if number == 0 or world.slots[0].at != "idle":  # they are alike
                yield from _claims(world, number, bounds)
            continue
        name = f"submitter {number}"
        yield from _goes_on(world, number, slot, name, bounds)
        if (failed := fails(world, bounds, Fault.CRASH)) is not None:
            yield Step(f"{name} dies ({slot.at})", Fault.CRASH, _dead(failed, number))
        owned = world.submissions[slot.submission]
        if (
            owned.owner == number
            and owned.state in ("claimed", "sending")
            and (failed := fails(world, bounds, Fault.GONE)) is not None
        ):
            row = owned._replace(owner=GONE)
            yield Step(f"{name} is taken for dead", Fault.GONE, failed.submission(slot.submission, row))


def _claims(world: World, number: int, bounds: Bounds) -> Steps:
    for batch in range(len(world.batches)):
        claimed = ledger.claim(world, batch, number, bounds)
        if claimed is None:
            continue
        if len(claimed.submissions) == len(world.submissions):
            yield Step(f"batch {batch} is empty: canceled", None, claimed)
            continue
        new = len(world.submissions)
        yield Step(f"submitter {number} claims batch {batch}: submission {new}", None,
                   claimed.slot(number, Slot("claimed", new)))  # fmt: skip
        if (failed := fails(claimed, bounds, Fault.UNSURE)) is not None:
            yield Step(f"submission {new} is claimed, but its claimer doesn't know", Fault.UNSURE, failed)


def _goes_on(world: World, number: int, slot: Slot, name: str, bounds: Bounds) -> Steps:
    n = slot.submission
    row, create = world.submissions[n], world.creates[n]
    match slot.at:
        case "claimed" if not row.workspace_known:
            asks = not world.learned
            knows = asks or Part.R5_LEARNED not in bounds.without
            known = world._replace(learned=True).submission(n, row._replace(workspace_known=knows))
            what = "learns its workspace" if asks else "sees that its workspace is known"
            yield Step(f"{name} {what}", None, known.slot(number, Slot("ready", n)))
        case "claimed" | "ready":
            sent = ledger.send(world, n, bounds)
            if sent is None:
                yield Step(f"{name} is too late to send submission {n}", None, world.slot(number, IDLE))
                return
            timer = NONE if Part.R3_TIMER in bounds.without else world.now + bounds.create
            after = Slot("streaming", n, timer) if Part.R3_TIMER_FIRST not in bounds.without else Slot("untimed", n)
            yield from _commits(f"{name} sends submission {n}", sent, number, after, world, bounds)
        case "untimed":
            timed = world.slot(number, Slot("streaming", n, world.now + bounds.create))
            yield Step(f"{name} starts its timer", None, timed)
        case "streaming":
            gone_on = ledger.authorize_last_bytes(world, n, bounds)
            refused = world.slot(number, Slot(concluded(None, False), n))
            if gone_on is None:
                yield Step(f"{name} is kept from letting submission {n} go", None, refused)
                return
            gated = gone_on.slot(number, Slot("gated", n, slot.timer))
            yield Step(f"{name} passes the gate", None, gated)
            if (failed := fails(gone_on, bounds, Fault.UNSURE)) is not None:
                unsure = failed.slot(number, Slot(concluded(None, False), n))
                yield Step(f"{name} doesn't know that it passed the gate", Fault.UNSURE, unsure)
        case "gated":
            written = world.create(n, Create("wire", world.now)).slot(number, Slot("written", n, slot.timer))
            yield Step(f"{name} writes the last bytes of submission {n}", None, written)
        case "written":
            if create.place == "there":
                answered = world.slot(number, Slot(concluded(200, True, "id"), n))
                yield Step(f"{name} hears that submission {n} was created", None, answered)
            if (failed := fails(world, bounds, Fault.LOST)) is not None:
                deaf = failed.slot(number, Slot(concluded(None, True), n))
                yield Step(f"{name} loses its connection", Fault.LOST, deaf)
        case "created":
            noted = ledger.note_api_id(world, n, n, bounds)
            yield Step(f"{name} notes the API id of submission {n}", None, noted.slot(number, Slot("noted", n)))
        case "noted":
            bearer = world.bearer(n)
            opened = world if bearer == NONE else ledger.open_submission(world, bearer, bounds)
            yield from _commits(f"{name} opens submission {n}", opened, number, IDLE, world, bounds)
        case "doubtful":
            doubted = ledger.doubt(world, n) or world
            yield from _commits(f"{name} says that submission {n} is unclear", doubted, number, IDLE, world, bounds)
        case "rejected":
            turned_down = ledger.reject(world, n, bounds) or world
            yield from _commits(f"{name} says: submission {n} rejected", turned_down, number, IDLE, world, bounds)
        case "not created":
            released = ledger.release(world, n, bounds) or world
            yield from _commits(f"{name} says: submission {n} not created", released, number, IDLE, world, bounds)


def _commits(what: str, after: World, number: int, slot: Slot, before: World, bounds: Bounds) -> Steps:
    """A transaction: done; or done, or not, with an error for an answer, which ends the task and not the process."""
    yield Step(what, None, after.slot(number, slot))
    for world, how in ((after, "but doesn't know"), (before, "in vain")):
        if (failed := fails(world, bounds, Fault.UNSURE)) is not None:
            yield Step(f"{what}, {how}", Fault.UNSURE, failed.slot(number, IDLE))


def _dead(world: World, number: int) -> World:
    rows = tuple(row._replace(owner=GONE) if row.owner == number else row for row in world.submissions)
    return world._replace(submissions=rows).slot(number, IDLE)


# --- the API -------------------------------------------------------------------------------------------------------


def api(world: World, bounds: Bounds) -> Steps:
    """What happens at the API, and on the way there."""
    for n, create in enumerate(world.creates):
        if create.place == "wire":
            yield from _arrives(world, n, create, bounds)
        elif create.place == "there" and not create.results:
            yield from _ends(world, n, create, bounds)
    stranger = world.stranger
    if stranger.place == "there" and not stranger.results:
        yield Step("the stranger's batch ends", None, world.create(STRANGER, stranger._replace(results="SS")))
    if stranger.place == "nowhere" and (failed := fails(world, bounds, Fault.STRANGER)) is not None:
        there = Create("there", world.now, world.now)
        yield Step("a stranger creates a batch of two", Fault.STRANGER, failed.create(STRANGER, there))


def _arrives(world: World, n: int, create: Create, bounds: Bounds) -> Steps:
    for lag in sorted({0, bounds.quiet}):
        there = Create("there", world.now, world.now + lag, create.late)
        yield Step(f"the API creates submission {n}, listed in {lag}", None, world.create(n, there))
    if (failed := fails(world, bounds, Fault.LATE_LIST)) is not None:
        there = Create("there", world.now, min(world.now + bounds.quiet + _BEYOND, END), late=True)
        yield Step(f"the API creates submission {n}, listed much later", Fault.LATE_LIST, failed.create(n, there))
    if (failed := fails(world, bounds, Fault.COUNTS)) is not None:
        there = Create("there", world.now, world.now, create.late, miscounted=True)
        yield Step(f"the API creates submission {n}, and counts it wrongly", Fault.COUNTS, failed.create(n, there))
    if all(row.twin_of == NONE for row in world.submissions) and (
        (failed := fails(world, bounds, Fault.TWICE)) is not None
    ):
        there = Create("there", world.now, world.now, create.late)
        twin = Submission(NONE, FORGOTTEN, GONE, 0, NONE, True, body=world.submissions[n].body, twin_of=n)
        twice = failed.create(n, there)._replace(
            submissions=(*failed.submissions, twin), creates=(*failed.creates, there._replace(at=0, late=True))
        )
        yield Step(f"the API creates submission {n} twice: batch {len(world.creates)}", Fault.TWICE, twice)
    waiting = next((number for number, slot in enumerate(world.slots) if slot.submission == n), None)
    yield from _is_turned_down(world, n, waiting, bounds)


def _is_turned_down(world: World, n: int, waiting: int | None, bounds: Bounds) -> Steps:
    """A create is answered with an error, having been executed or not; or its bytes never arrive."""
    never = world.create(n, Create("never"))
    denied = world.create(n, Create("there", world.now, world.now, late=True, denied=True))
    for after, fault, what, status in (
        (never, Fault.DROPPED, "the bytes of submission {} never arrive", None),
        (never, Fault.REFUSED, "the API turns submission {} down: 400", 400),
        (never, Fault.BUSY, "the API turns submission {} down: 429", 429),
        (denied, Fault.DENIED, "the API creates submission {}, and answers 400", 400),
        (denied, Fault.DENIED, "the API creates submission {}, and answers 429", 429),
    ):
        if (failed := fails(after, bounds, fault)) is not None:
            if waiting is not None and failed.slots[waiting].at == "written":
                failed = failed.slot(waiting, Slot(concluded(status, True), n))
            yield Step(what.format(n), fault, failed)


def _ends(world: World, n: int, create: Create, bounds: Bounds) -> Steps:
    body = bits(world.submissions[n].body)

    def ended(results: dict[int, str], world: World) -> World:
        text = "".join(results.get(item, "S") if item in body else "-" for item in range(len(world.items)))
        return world.create(n, create._replace(results=text))

    yield Step(f"batch {n} at the API ends, all answered", None, ended({}, world))
    if (failed := fails(world, bounds, Fault.ERRORS)) is not None:
        for what, results in (
            ("all expired", dict.fromkeys(body, "E")),
            ("its last expired", {body[-1]: "E"} if body else {}),
            ("its first is invalid", {body[0]: "F"} if body else {}),
        ):
            yield Step(f"batch {n} at the API ends, {what}", Fault.ERRORS, ended(results, failed))
    if (failed := fails(world, bounds, Fault.CUT)) is not None and body:
        yield Step(f"batch {n} at the API ends, a result missing", Fault.CUT, ended({body[-1]: "-"}, failed))


# --- time ----------------------------------------------------------------------------------------------------------


def time(world: World, bounds: Bounds) -> Steps:
    """A tick, when somebody waits for one. Bytes on the wire arrive before, unless they are slow."""
    now = world.now
    if now == END or not _somebody_waits(world, bounds):
        return
    after = now + 1 if now < bounds.horizon else END
    ticked = world._replace(now=after)
    what = f"time: {after}"
    slow = [
        n
        for n, create in enumerate(world.creates)
        if create.place == "wire" and after > create.at + bounds.wire and not create.late
    ]
    if slow:
        failed = fails(ticked, bounds, Fault.SLOW_WIRE)
        if failed is None:
            return
        ticked, what = failed, f"{what}, bytes still on the wire"
        for n in slow:
            ticked = ticked.create(n, ticked.creates[n]._replace(late=True))
    frozen = _freeze(ticked)
    if frozen is not ticked:
        failed = fails(frozen, bounds, Fault.FROZEN)
        if failed is None:
            return
        ticked, what = failed, f"{what}, somebody is frozen"
    for number, slot in enumerate(ticked.slots):
        if slot.timer != NONE and slot.timer <= after:
            ticked = _dead(ticked, number)
    yield Step(what, Fault.FROZEN if ticked.faults < world.faults else None, ticked)


def _freeze(world: World) -> World:
    """Everybody who could have moved by now, and didn't."""
    for number, slot in enumerate(world.slots):
        waits = slot.at == "written" and world.creates[slot.submission].place == "wire"
        if slot.at != "idle" and not slot.frozen and not waits:
            world = world.slot(number, slot._replace(frozen=True))
    for number, look in enumerate(world.looks):
        if look.at != "idle" and not look.frozen:
            world = world.look(number, look._replace(frozen=True))
    if world.reader.at != "idle" and not world.reader.frozen:
        world = world._replace(reader=world.reader._replace(frozen=True))
    return world


def _somebody_waits(world: World, bounds: Bounds) -> bool:
    now = world.now
    return (
        any(
            (row.state == "claimed" and row.lease_until > now)
            or (row.state == "sending" and row.send_by > now)
            or (row.state in ("sending", "unclear") and row.api_id == NONE and row.quiet_after > now)
            for row in world.submissions
        )
        or any(create.place == "there" and create.listed_from > now for create in world.creates)
        or any(slot.timer > now for slot in world.slots)
        or (world.looking != NONE and world.looking + bounds.create + bounds.wire + bounds.quiet >= now)
    )
