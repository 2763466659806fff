"""What pollers and the rescuer do (`poll._poll` and `rescue.sweep`, transaction by transaction)."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from typing import Final

from overnight_workers.stages import protocol
from overnight_workers.stages.protocol import Candidate, Listing, Sent
from tests.explore import ledger, restoring
from tests.explore.rules import Bounds, Fault, Part
from tests.explore.world import (
    FORGOTTEN,
    ITEMS,
    NONE,
    STRANGER,
    Look,
    Step,
    Steps,
    Submission,
    World,
    bits,
    fails,
    time_of,
)

IDLE: Final = Look()


def pollers(world: World, bounds: Bounds) -> Steps:
    """Every step that a poll may take; a second one at the same time is a fault."""
    for number, look in enumerate(world.looks):
        if look.at == "idle":
            if number == 0:
                yield from _looks(world, number, bounds, None)
            elif world.looks[0].at != "idle" and (failed := fails(world, bounds, Fault.SECOND_POLL)) is not None:
                yield from _looks(failed, number, bounds, Fault.SECOND_POLL)
            continue
        match look.at:
            case "looked":
                yield Step(f"poll {number} notes what it saw", None, _note(world, number, look, bounds))
            case "noted":
                yield from _judges(world, number, look, bounds)
                yield from _decides(world, number, look, bounds)
                yield from _ends_looking(world, number, look, bounds)
                yield Step(f"poll {number} is over", None, world.look(number, IDLE))
            case "saved":
                opened = ledger.open_submission(world, look.owner, bounds)
                yield Step(
                    f"poll {number} opens submission {look.owner}",
                    None,
                    opened.look(number, look._replace(at="opened", frozen=False)),
                )
            case "opened":
                ended = ledger.end(world, look.owner) if world.submissions[look.owner].api_id == look.judging else world
                judged = _judged(ended, look.judging, "ours")
                back = look._replace(at="noted", judging=NONE, owner=NONE, frozen=False)
                yield Step(f"poll {number} calls batch {look.judging} ours", None, judged.look(number, back))
        if look.at != "noted" and (failed := fails(world, bounds, Fault.CRASH)) is not None:
            yield Step(f"poll {number} dies ({look.at})", Fault.CRASH, failed.look(number, IDLE))


def _looks(world: World, number: int, bounds: Bounds, fault: Fault | None) -> Steps:
    """poll.watched, and the list."""
    unclear = sum(1 << n for n, row in enumerate(world.submissions) if row.state == "unclear" and row.api_id == NONE)
    listed = tuple(
        (n, bool(create.results))
        for n, create in [*enumerate(world.creates), (STRANGER, world.stranger)]
        if create.place == "there" and create.listed_from <= world.now
    )
    if unclear or world.looking != NONE or any(_is_news(world, api_id, over, bounds) for api_id, over in listed):
        look = Look("looked", world.now, "ours", listed, unclear)
        yield Step(f"poll {number} lists {len(listed)} batches", fault, world.look(number, look))
    if unclear and fault is None:
        for kind, space in ((Fault.OTHER_WORKSPACE, "other"), (Fault.SHORT_LIST, "short")):
            if (failed := fails(world, bounds, kind)) is not None:
                look = Look("looked", world.now, space, (), unclear)
                yield Step(f"poll {number} gets a list: {kind}", kind, failed.look(number, look))


def _is_news(world: World, api_id: int, over: bool, bounds: Bounds) -> bool:
    """Left out: looks that would change nothing."""
    for row in world.submissions:
        if row.api_id == api_id:
            return over and not row.ended
    seen = dict(world.sightings).get(api_id)
    if seen in ("ours", "stranger"):
        return False
    return seen is not None or world.epoch > 0 or _may_be_any(world, api_id, bounds)


def _may_be_any(world: World, api_id: int, bounds: Bounds) -> bool:
    if api_id != STRANGER and not _is_sought(world, world.submissions[world.token(api_id)], api_id, bounds):
        return False
    return any(_may_be_ours(world, n, api_id, bounds) for n in range(len(world.submissions)))


def _is_sought(world: World, owner: Submission, api_id: int, bounds: Bounds) -> bool:
    """Without these parts nobody looks for what the owner of a token may have at the API.

    What was claimed later isn't looked for so far back; when its claim was is forgotten here.
    """
    if (owner.state == "void" and Part.R9_VOID in bounds.without) or (
        owner.state == "lost" and Part.R9_LOST in bounds.without
    ):
        return False
    if Part.R9_LATE not in bounds.without or owner.quiet_after == NONE:
        return True
    return _worth_a_look(owner.claimed_at, owner.quiet_after, world.at_api(api_id).at, late_too=False)


def _may_be_ours(world: World, n: int, api_id: int, bounds: Bounds) -> bool:
    """poll.sought_since: whatever was let go."""
    row = world.submissions[n]
    if row.state in ("claimed", FORGOTTEN) or Part.R9_SIGHT in bounds.without:
        return False
    if row.state == "void" and not row.let_go:
        return False
    if row.api_id != NONE and Part.R9_KNOWN in bounds.without:
        return False
    if Part.R1_COUNTS in bounds.without and _size(world, api_id) != row.body.bit_count():
        return False
    return _worth_a_look(row.claimed_at, row.quiet_after, world.at_api(api_id).at, late_too=True)


@cache
def _worth_a_look(claimed_at: int, quiet_after: int, created_at: int, late_too: bool) -> bool:
    candidate, listing = Candidate(time_of(created_at)), _listing(0, "ours")
    if late_too:
        return protocol.worth_a_look(time_of(claimed_at), candidate, listing)
    return protocol.may_be(_sent(claimed_at, quiet_after, workspace_known=True), candidate, listing)


@cache
def _sent(claimed_at: int, quiet_after: int, workspace_known: bool) -> Sent:
    return Sent(time_of(claimed_at), time_of(quiet_after), "ours" if workspace_known else None)


@cache
def _listing(started_at: int, space: str) -> Listing:
    """A list that started within a tick, so after the moment at which the tick began."""
    began = time_of(started_at) + timedelta(seconds=1)
    return Listing(
        began, timedelta(0), "ours" if space == "short" else space, back_to=began if space == "short" else None
    )


def _size(world: World, api_id: int) -> int:
    """What the API's counts say; no rule of the protocol asks."""
    if api_id == STRANGER:
        return ITEMS
    return world.submissions[api_id].body.bit_count() + world.creates[api_id].miscounted


def _note(world: World, number: int, look: Look, bounds: Bounds) -> World:
    """poll._note: which of ours ended, and which we don't know."""
    ours = {row.api_id: n for n, row in enumerate(world.submissions) if row.api_id != NONE}
    for api_id, over in look.listed:
        if api_id in ours:
            world = ledger.end(world, ours[api_id]) if over else world
        elif world.epoch or _may_be_any(world, api_id, bounds):
            seen = dict(world.sightings).get(api_id)
            if seen in (None, "running"):
                world = _sighted(world, api_id, "ended" if over else "running")
    if not world.sightings and not look.unclear and world.looking == NONE:
        return world.look(number, IDLE)
    return world.look(number, look._replace(at="noted", listed=(), frozen=False))


def _sighted(world: World, api_id: int, what: str) -> World:
    return world._replace(sightings=tuple(sorted({**dict(world.sightings), api_id: what}.items())))


def _judged(world: World, api_id: int, whose: str) -> World:
    """poll.judge: of a sighting that there is, and ours only once its id is saved."""
    if api_id not in dict(world.sightings):
        return world
    if whose == "ours" and not any(row.api_id == api_id for row in world.submissions):
        return world
    return _sighted(world, api_id, whose)


def _unproven(world: World) -> list[tuple[int, str]]:
    """poll.sightings: unknown batches of which no token said whose they are."""
    known = {row.api_id for row in world.submissions}
    return [(api_id, seen) for api_id, seen in world.sightings if seen in ("running", "ended") and api_id not in known]


def _judges(world: World, number: int, look: Look, bounds: Bounds) -> Steps:
    """poll._judge_sightings: the token of what has ended."""
    if Part.R9_JUDGE in bounds.without:
        return
    for api_id, seen in _unproven(world):
        if seen != "ended":
            continue
        owner = ledger.submission_of(world, api_id, bounds)
        forgotten = api_id != STRANGER and world.submissions[world.token(api_id)].state == FORGOTTEN
        if forgotten and Part.R11_MARK not in bounds.without:
            remembered = _judged(restoring.remember(world, api_id), api_id, "ours")
            yield Step(f"poll {number} reads the mark of the forgotten batch {api_id}", None, remembered)
            continue
        if owner is None:
            yield Step(f"poll {number} reads a stranger's token", None, _judged(world, api_id, "stranger"))
            continue
        noted = ledger.note_api_id(world, owner, api_id, bounds)
        bearer = noted.bearer(api_id)
        if bearer == NONE:
            continue  # without R9-twin: nothing comes of it, however often it is read
        after = look._replace(at="saved", judging=api_id, owner=bearer, frozen=False)
        what = f"poll {number} reads the token of batch {api_id} and notes its id on submission {bearer}"
        yield Step(what, None, noted.look(number, after))


def _decides(world: World, number: int, look: Look, bounds: Bounds) -> Steps:
    """poll._decide."""
    unproven = [(api_id, Candidate(time_of(world.at_api(api_id).at))) for api_id, _ in _unproven(world)]
    started_at = world.now if Part.R4_STARTED in bounds.without else look.started_at
    space = look.space
    if (space == "other" and Part.R5_WORKSPACE in bounds.without) or (
        space == "short" and Part.R5_COMPLETE in bounds.without
    ):
        space = "ours"
    listing = _listing(started_at, space)
    for n in bits(look.unclear):
        row = world.submissions[n]
        sent = _sent(row.claimed_at, row.quiet_after, row.workspace_known)
        same_size = [
            (api_id, unproven_) for api_id, unproven_ in unproven if _size(world, api_id) == row.body.bit_count()
        ]
        asked = same_size if Part.R1_COUNTS in bounds.without else unproven
        if Part.R1_TOKEN in bounds.without:
            alike = [api_id for api_id, candidate in same_size if protocol.may_be(sent, candidate, listing)]
            if len(alike) == 1:
                adopted = ledger.note_api_id(world, n, alike[0], bounds)
                what = f"poll {number} adopts batch {alike[0]} for submission {n}, by count and time"
                yield Step(what, None, adopted.look(number, IDLE))
        if _still_unclear(sent, listing, tuple(candidate for _, candidate in asked)) is None:
            lost = ledger.lose(world, n, bounds)
            if lost is not None:
                yield Step(f"poll {number} believes submission {n} lost", None, lost.look(number, IDLE))


def _ends_looking(world: World, number: int, look: Look, bounds: Bounds) -> Steps:
    """restored.look, its end."""
    if world.looking == NONE:
        return
    why = protocol.why_still_looking(
        _listing(look.started_at, look.space),
        since=time_of(0),
        api_workspace_id="ours",
        until=time_of(restoring.until(world, bounds)),
        undecided=restoring.undecided(world, len(_unproven(world)), bounds),
    )
    if why is None:
        yield Step(f"poll {number} has looked at everything", None, world._replace(looking=NONE).look(number, IDLE))


@cache
def _still_unclear(sent: Sent, listing: Listing, candidates: tuple[Candidate, ...]) -> str | None:
    return protocol.why_not_lost(sent, listing, candidates)


# --- rescue --------------------------------------------------------------------------------------------------------


def rescuer(world: World, bounds: Bounds) -> Steps:
    """rescue.sweep, row by row."""
    yield from restoring.notices(world, bounds)
    for n, row in enumerate(world.submissions):
        if (voided := ledger.void_abandoned(world, n, bounds)) is not None:
            yield Step(f"rescue voids submission {n}", None, voided)
        if (doubted := ledger.doubt_abandoned(world, n, bounds)) is not None:
            yield Step(f"rescue says that submission {n} is unclear", None, doubted)
        if row.api_id != NONE and row.state in ("sending", "unclear", "lost", "void"):
            yield Step(f"rescue opens submission {n}", None, ledger.open_submission(world, n, bounds))
