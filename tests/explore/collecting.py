"""What the collector, the packer and a person do."""

from __future__ import annotations

from typing import Final

from overnight_models.states import ITEM
from tests.explore import ledger, settling
from tests.explore.rules import Bounds, Fault, Part
from tests.explore.world import END, NONE, Reader, Step, Steps, World, bits, fails

IDLE: Final = Reader()


def collector(world: World, bounds: Bounds) -> Steps:
    """Every step of `collect._collect`, transaction by transaction."""
    reader = world.reader
    if reader.at == "idle":
        for n, row in enumerate(world.submissions):
            if row.state in ("open", "lost", "void") and row.api_id != NONE and row.ended:
                only = settling.only_live(world, n, bounds)
                claimed = world.submission(n, row._replace(reads=min(row.reads + 1, 2)))
                claimed = claimed._replace(reader=Reader("claimed", n, only))
                yield Step(f"collect begins to read submission {n}", None, claimed)
        return
    if (failed := fails(world, bounds, Fault.CRASH)) is not None:
        yield Step(f"collect dies ({reader.at})", Fault.CRASH, failed._replace(reader=IDLE))
    yield _records(world, reader, bounds) if reader.at == "claimed" else _finishes(world, reader, bounds)


def _results(world: World, n: int) -> str:
    """The lines that came, of a batch that ended."""
    return world.at_api(world.submissions[n].api_id).results


def _records(world: World, reader: Reader, bounds: Bounds) -> Step:
    n = reader.submission
    if world.token(world.submissions[n].api_id) != world.token(n) and Part.R1_TOKEN not in bounds.without:
        retried = settling.schedule_retry(world, n)
        return Step(
            f"collect sees that submission {n} has somebody else's answers", None, retried._replace(reader=IDLE)
        )
    only = reader.only_live if Part.R8_AT_RECORD in bounds.without else settling.only_live(world, n, bounds)
    recorded = settling.record(world, n, _results(world, n), only, bounds)
    after = reader._replace(at="recorded", passed_over=not only, frozen=False)
    return Step(f"collect records the results of submission {n}", None, recorded._replace(reader=after))


def _finishes(world: World, reader: Reader, bounds: Bounds) -> Step:
    n = reader.submission
    results = _results(world, n)
    missing = any(results[item] == "-" for item in bits(world.submissions[n].body))
    if missing and not settling.gives_up(world.submissions[n].reads):
        again = settling.schedule_retry(world, n)._replace(reader=IDLE)
        return Step(f"collect misses results of submission {n}", None, again)
    if missing:
        world = settling.give_up_missing(world, n, results, settling.only_live(world, n, bounds), bounds)
    if reader.passed_over and settling.only_live(world, n, bounds):
        again = settling.schedule_retry(world, n)._replace(reader=IDLE)
        return Step(f"collect must read submission {n} again: its errors count now", None, again)
    return Step(f"collect is done with submission {n}", None, settling.finish(world, n, bounds)._replace(reader=IDLE))


def others(world: World, bounds: Bounds) -> Steps:
    """The packer, submit's dividing, a person, and another batch's submitter."""
    for batch in range(len(world.batches)):
        if world.batches[batch] == "rejected" and (divided := settling.divide(world, batch, bounds)) is not None:
            yield Step(f"submit divides batch {batch}", None, divided)
    if world.attempts < bounds.submissions and world.now != END:
        packed = settling.pack(world)
        if packed is not None:
            yield Step(f"pack makes batch {len(world.batches)}", None, packed)
    for n, row in enumerate(world.submissions):
        if row.state == "unclear" and (failed := fails(world, bounds, Fault.DECIDED)) is not None:
            create = failed.creates[n]
            theirs = failed.create(n, create._replace(late=create.late or create.place in ("wire", "there")))
            if (lost := ledger.lose(theirs, n, bounds)) is not None:
                yield Step(f"a person says that submission {n} was never created", Fault.DECIDED, lost)
    for number, item in enumerate(world.items):
        if not item.cancel_wanted and item.state not in ITEM.final:
            failed = fails(world, bounds, Fault.CANCEL)
            if failed is not None:
                yield Step(f"a person takes item {number} back", Fault.CANCEL, settling.cancel(failed, number))
    if not world.learned:
        yield Step("another batch's submitter learns the workspace", None, world._replace(learned=True))
