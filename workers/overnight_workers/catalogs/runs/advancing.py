"""One step of a run, whoever takes it: the command, a worker, or the one that comes after a death."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from overnight_models.crash_points import reach
from overnight_models.errors import PermanentError, TransientError
from overnight_models.ledger import cancel
from overnight_models.ledger.bodies.encryption import NoKey
from overnight_models.ledger.catalogs import answers
from overnight_models.ledger.catalogs import runs as ledger
from overnight_models.ledger.catalogs.runs import Run
from overnight_models.ledger.money import budgets
from overnight_models.states import CATALOG_RUN
from overnight_workers import process
from overnight_workers.catalogs import validating
from overnight_workers.catalogs.faults import NotSetHere, in_a_line
from overnight_workers.catalogs.memory import Hashes
from overnight_workers.catalogs.reading import parse_catalog
from overnight_workers.catalogs.runs import again, ending, pilot, planning, publishing, sending
from overnight_workers.catalogs.runs.taken import Step, Taken, TakenRun, Wish

_LOOK_EVERY_S: Final = 1.0
_TAKEN_BACK_AT_ONCE: Final = 1_000


def take(run_id: int, name: str, news: Callable[[int], None] | None = None) -> TakenRun | None:
    """Take a run, to take its steps. None when a living process has it, or it is over.

    name: of whoever takes it, as people see it.

    Raises PermanentError when its declaration can't be used in this process: another process may have what it names,
    so the run waits, and says why. It is stopped where a person wants that.
    """
    owner = process.database().owner()
    with process.database().transaction() as connection:
        if not ledger.claim(connection, run_id, owner, name):
            return None
        run = ledger.read(connection, run_id)
    assert run is not None, "it was claimed"
    try:
        catalog = parse_catalog(run.declaration, Path(run.path))
    except PermanentError as error:
        if _is_stopped_unread(run, owner, name, error):
            return None
        raise
    return TakenRun(run, catalog, owner, news or (lambda done: None))


def _is_stopped_unread(run: Run, owner: int, name: str, error: PermanentError) -> bool:
    """A run whose declaration this process can't use waits for another; True where it is to be stopped."""
    unusable = Wish.read(run.wish).stop
    if run.stop_wanted is None and unusable is None:
        with process.database().transaction() as connection:
            ledger.note_waits(connection, run.id, owner, f"waits: {name} can't take it: {in_a_line(error)}")
            ledger.release(connection, run.id, owner)
        return False
    _take_back_unsent(run.name)
    counts = pilot.verdicts_of(run.name, run.id).document()
    reason = unusable or f"{run.stop_wanted} stopped it; its declaration can't be used any more: {in_a_line(error)}"
    ending.stop_without_declaration(run, owner, reason, counts)
    with process.database().transaction() as connection:
        ledger.release(connection, run.id, owner)
    return True


def leave(taken: TakenRun) -> None:
    """Leave a run to whoever comes next."""
    with process.database().transaction() as connection:
        ledger.release(connection, taken.run.id, taken.owner)


def read(run_id: int) -> Run:
    """A run as it is now."""
    with process.database().transaction() as connection:
        run = ledger.read(connection, run_id)
    assert run is not None, "runs are never deleted"
    return run


def advance(taken: TakenRun) -> Step:
    """Take the next step of a run. A fault that stays ends the run with its reason.

    Raises Taken when it is in other hands, and transient errors: then take it again. What this process lacks (room on
    its disk, an environment variable, an encryption key) is one of these; the run says meanwhile what it waits for.
    """
    taken.run = read(taken.run.id)
    if taken.run.is_over:
        return Step(taken.run.state, is_over=True)
    if taken.run.stop_wanted is not None:
        return _stop(taken, f"{taken.run.stop_wanted} stopped it")
    if taken.wish.stop is not None:
        return ending.stop(taken, taken.wish.stop)
    try:
        step = _STEPS[taken.run.state](taken)
    except Taken:
        raise
    except TransientError as error:
        note_waits(taken, str(error))
        raise
    except (NotSetHere, NoKey) as error:
        note_waits(taken, str(error))
        raise TransientError(str(error)) from error
    except PermanentError as error:
        return _stop(taken, str(error))
    except OSError as error:
        said = f"{error.filename or 'this machine'}: {error.strerror or error}"
        note_waits(taken, said)
        raise TransientError(said) from error
    if taken.run.reason is not None:
        _note_goes_on(taken)
    return step


def note_waits(taken: TakenRun, why: str) -> None:
    """People see it in `overnight runs` until the run goes on."""
    with suppress(TransientError), process.database().transaction() as connection:
        ledger.note_waits(connection, taken.run.id, taken.owner, f"waits: {why}")


def _note_goes_on(taken: TakenRun) -> None:
    with process.database().transaction() as connection:
        ledger.note_goes_on(connection, taken.run.id, taken.owner)


def _asking(taken: TakenRun) -> Step:
    return Step(f"asks: {taken.run.reason}", asks=True)


def _pilot(taken: TakenRun) -> Step:
    """The first rows, until all have come back; then they are judged."""
    rows = taken.catalog.pilot.rows
    if taken.run.enqueued_at is None:
        done = sending.enqueue(taken, max_rows=rows)
        taken.note_enqueued(pilot=done)
        return Step(f"the pilot's {rows:,} rows are sent")
    waits = _waits(taken)
    if waits is not None:
        return waits
    validating.validate(taken.catalog, taken.run.name)
    verdicts = pilot.verdicts_of(taken.run.name, taken.run.id)
    why = pilot.why_stop(verdicts, taken.catalog.pilot.max_problems)
    if why is not None:
        return _stop(taken, why, pilot=verdicts.document())
    taken.move(CATALOG_RUN.send, pilot=verdicts.document())
    return Step(f"the pilot is good: {verdicts.bad:,} problems in {verdicts.items:,} rows")


def _sending(taken: TakenRun) -> Step:
    if taken.run.enqueued_at is None:
        done = sending.enqueue(taken)
        taken.note_enqueued(sent=done)
        return Step("all rows are sent")
    waits = _waits(taken)
    if waits is not None:
        return waits
    taken.move(CATALOG_RUN.retry)
    return Step("every row has come back")


def _retrying(taken: TakenRun) -> Step:
    waits = _waits(taken)
    if waits is not None:
        return waits
    _validate(taken)
    asked = 0 if taken.counts.get("over_the_cap") else again.ask_again(taken.run.name, taken.catalog)
    if asked:
        return Step(f"{asked:,} rows are asked again")
    why = publishing.why_not(taken)
    if why is not None:
        return _stop(taken, why)
    taken.move(CATALOG_RUN.publish)
    return Step("publishing")


def _validate(taken: TakenRun) -> None:
    """Ask the declared class about what has come; with the next step only about what was asked again since."""
    after = int(taken.counts.get("validated_to") or 0)
    last = validating.validate(taken.catalog, taken.run.name, after=after)
    if last > after:
        taken.note_enqueued(validated_to=last)


def _waits(taken: TakenRun) -> Step | None:
    """Waits for answers; None when all are there. What only the run's own cap holds back is given up."""
    counts = sending.unfinished(taken)
    if not counts:
        return None
    if set(counts) == {"held"}:
        with process.database().transaction() as connection:
            budgets.release_held(connection, process.policy().models)
        counts = sending.unfinished(taken)
        if set(counts) == {"held"} and (given_up := _give_up_held(taken)):
            taken.note_enqueued(over_the_cap=given_up)
            return Step(f"{given_up:,} rows are over its cap and aren't sent")
    rest = sum(counts.values())
    if taken.catalog.publish == "as_they_come" and rest != taken.rest_unpublished:
        _publish_so_far(taken)
        taken.rest_unpublished = rest
    return Step(f"waits for {rest:,} rows", wait_s=_LOOK_EVERY_S)


def _give_up_held(taken: TakenRun) -> int:
    """Take back what the run's own budget holds. Returns how many."""
    with process.database().transaction() as connection:
        held = answers.not_sent(connection, taken.run.name, held=True)
    _take_back(held)
    return len(held)


def _take_back_unsent(run_name: str) -> None:
    """What isn't sent is taken back."""
    with process.database().transaction() as connection:
        open_ = answers.not_sent(connection, run_name, held=False)
    _take_back(open_)


def _take_back(item_ids: Sequence[int]) -> None:
    """In groups: half a million are some minutes, one by one they are an hour."""
    for begin in range(0, len(item_ids), _TAKEN_BACK_AT_ONCE):
        with process.database().transaction() as connection:
            cancel.take_back(connection, item_ids[begin : begin + _TAKEN_BACK_AT_ONCE])
        reach("a group was taken back")


def _publish_so_far(taken: TakenRun) -> None:
    validating.validate(taken.catalog, taken.run.name)
    publishing.write(taken, Hashes())


def _stop(taken: TakenRun, reason: str, **counts: object) -> Step:
    """End it: what isn't sent is taken back, what is sent is paid, and the next run has its answers for nothing."""
    _take_back_unsent(taken.run.name)
    verdicts = pilot.verdicts_of(taken.run.name, taken.run.id)
    # the problems of the run before stay where this run has sent nothing
    causes = publishing.leave_problems(taken, verdicts) if taken.run.plan is not None else ()
    return ending.stop(taken, reason, causes=causes, **(verdicts.document() | counts))


_STEPS: Final[dict[str, Callable[[TakenRun], Step]]] = {
    "planned": planning.plan,
    "asking": _asking,
    "pilot": _pilot,
    "sending": _sending,
    "retrying": _retrying,
    "publishing": publishing.publish,
}


def own_name(file: str) -> str:
    """What people see of whoever takes steps here."""
    return f"{file} (process {os.getpid()} on {socket.gethostname()})"


def approve(run_id: int) -> bool:
    """Whoever began it lets a run send what it has planned. False when it doesn't ask."""
    with process.database().transaction() as connection:
        return ledger.approve(connection, run_id, getpass.getuser())
