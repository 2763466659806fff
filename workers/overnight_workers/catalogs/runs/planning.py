"""The first step: what is sent and why, what it will cost, and whether that needs a word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from overnight_models.errors import PermanentError
from overnight_models.ledger.catalogs import answers, runs
from overnight_models.ledger.catalogs import memory as ledger
from overnight_models.quantities import money
from overnight_models.states import CATALOG_RUN
from overnight_models.wire.outcome import Problem
from overnight_workers import process
from overnight_workers.catalogs import memory, reviving
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.diff import OF_RECIPE, PAID, Diff, Reason, Wanted, differences
from overnight_workers.catalogs.learning import Alike, alike
from overnight_workers.catalogs.opened import opened
from overnight_workers.catalogs.recipe import hashes, recipe_of
from overnight_workers.catalogs.rows import key_of, read_item_key
from overnight_workers.catalogs.runs import ending
from overnight_workers.catalogs.runs.answered import asked_before
from overnight_workers.catalogs.runs.capping import cap_of_a_run
from overnight_workers.catalogs.runs.dollars import Dollars, Estimate, estimated
from overnight_workers.catalogs.runs.taken import Step, TakenRun, Wish
from overnight_workers.catalogs.sinks import sink_of
from overnight_workers.catalogs.sinks.answered import RUN

SINK_LOST: Final = "nothing is in its sink, so all rows go there, for nothing where their answers are still kept"
SINK_UNKNOWN: Final = (
    "its sink has answers, up to those of run {latest}, that nothing is known of here: another catalog writes there"
    " too, this one had another name, or another database"
)
SINK_BEHIND: Final = (
    "its sink has answers up to those of run {latest} only, and {rows:,} of later runs are missing there: it is an"
    " older copy, or another catalog's. Put the right one back and approve; or stop, and empty it: the next fills it"
)
_HIGHEST_RUN: Final = 2_000_000_000
_FEW: Final = 20
"""Rows that nobody is asked about, whatever their share is."""


def made(catalog: Catalog, wish: Wish) -> tuple[Diff, dict[str, object]]:
    """The plan of a run that would begin now. Nothing is written and nothing sent. Raises what `opened_plan` raises."""
    with opened_plan(catalog, wish) as plan_:
        return plan_


@contextmanager
def opened_plan(catalog: Catalog, wish: Wish) -> Iterator[tuple[Diff, dict[str, object]]]:
    """The same, while its rows can be read: the difference, and the plan as JSON.

    Raises BadSource, PermanentError where the sink can't be written, and TransientError where the source is being.
    """
    recipe = recipe_of(catalog)
    sink, latest = sink_of(catalog), None
    if sink is not None:
        sink.check()  # what can't be kept isn't paid for
        latest = sink.latest_run()
    is_lost = sink is not None and latest is None
    with process.database().transaction() as connection:
        catalog_id = ledger.catalog_id(connection, catalog.name)
        kept = [] if catalog_id is None else ledger.recipes(connection, catalog_id)
        size = 0 if catalog_id is None else ledger.size(connection, catalog_id)
    valid = reviving.valid_by_now(catalog)
    wanted = Wanted(
        limit=wish.limit,
        retry_failed=wish.retry_failed,
        is_lost=is_lost,
        new_only=catalog.on_prompt_change == "new_only",
        is_partial=wish.where is not None,
        valid_by_now=valid if size else (),
        answered=asked_before(catalog, valid),
        failed_before=_failed_before(catalog) if wish.retry_failed else None,
    )
    with opened(catalog, recipe, wish.where) as source:
        newest = memory.Newest()
        known = () if catalog_id is None else newest.noted(_known(catalog_id, size))
        diff = differences(
            source.connection, source.rows, hashes(recipe), kept, known, wanted, key_faults=source.key_faults
        )
        tried = [(key_of(catalog.name, each.row, each.sent), each.is_taken) for each in diff.answered]
        past = alike(catalog, hashes(recipe), tried) if diff.sent else Alike()
        estimates = estimated(catalog, source, diff, past)
        source.check_unchanged()
        document = _document(catalog, diff, estimates, has_memory=size > 0)
        document |= _of_the_sink(latest, is_lost=is_lost, has_memory=size > 0)
        yield diff, document | _behind(latest, newest) | wish.only()


def _of_the_sink(latest: int | None, *, is_lost: bool, has_memory: bool) -> dict[str, object]:
    """What a plan says of its sink. latest: the highest number of a run whose rows are there."""
    if latest is None:
        return {"sink_lost": SINK_LOST} if is_lost and has_memory else {}
    if latest > _HIGHEST_RUN:
        raise PermanentError(f"the sink's column {RUN} has {latest}, which is no number of a run")
    return {"sink_latest": latest} | ({} if has_memory else {"sink_unknown": SINK_UNKNOWN.format(latest=latest)})


def _behind(latest: int | None, newest: memory.Newest) -> dict[str, object]:
    """What a plan says of a sink that lacks what later runs have put there. latest: as `_of_the_sink` has it."""
    rows = 0 if latest is None else newest.after(latest)
    return {"sink_behind": SINK_BEHIND.format(latest=latest, rows=rows)} if rows else {}


def _known(catalog_id: int, size: int) -> Iterator[bytes]:
    """The memory, some parts at a time where it is large. Only a run that ends writes it, and there is none meanwhile.

    size: of all entries, in bytes.
    """
    for parts in (ledger.ALL,) if size <= memory.ONE_PIECE else memory.groups(size):
        with process.database().transaction() as connection:
            entries = ledger.entries(connection, catalog_id, parts)
        yield entries


def _failed_before(catalog: Catalog) -> memory.Hashes:
    """Of rows that failed in any run, stopped ones among them."""
    failed = memory.Hashes()
    after = 0
    while True:
        with process.database().transaction() as connection:
            page = answers.failed(connection, catalog.name, but=(Problem.REFUSED,), after=after)
        if not page:
            return failed
        after = page[-1].id
        failed.add(b"".join(read_item_key(row.key)[0] for row in page))


def plan(taken: TakenRun) -> Step:
    """Make the run's plan and keep it; then decide whether it goes on. Raises BadSource, Taken."""
    if taken.run.plan is None:
        _keep(taken)
        return Step("planned")
    document = taken.plan
    over = None
    if document["send"]:
        over = _over_its_cap(taken.catalog, taken.run.id, Decimal(document["low_usd"]))
    if over is not None:
        return ending.stop(taken, over)
    asks = None if taken.wish.approved or taken.run.approved_at else why_ask(taken.catalog, document)
    if asks is not None:
        taken.move(CATALOG_RUN.ask, reason=asks)
        return Step(f"asks: {asks}", asks=True)
    if not document["send"]:
        taken.move(CATALOG_RUN.publish)
        return Step("nothing is to be sent")
    has_pilot = 0 < taken.catalog.pilot.rows < document["send"] - document.get("answered", 0)
    taken.move(CATALOG_RUN.go_ahead if has_pilot else CATALOG_RUN.send)
    return Step(f"{taken.catalog.pilot.rows:,} rows go ahead as the pilot" if has_pilot else "sending")


def why_ask(catalog: Catalog, document: dict[str, Any]) -> str | None:
    """Why a person has to say that a plan may be carried out; None when it needn't."""
    if "sink_behind" in document:
        return str(document["sink_behind"])
    reasons, known = document["reasons"], document["known"]
    changed = {
        name: counted for name, counted in reasons.items() if name in {reason.name.lower() for reason in OF_RECIPE}
    }
    if changed and catalog.on_prompt_change == "ask":
        reasons_ = ", ".join(
            f"{reason['words']}: {reason['rows']:,} rows, about ${reason['usd']}" for reason in changed.values()
        )
        return f'{reasons_} (on_prompt_change = "new_only" or "all" decides it for good)'
    free = sum(reasons.get(reason.name.lower(), {"rows": 0})["rows"] for reason in PAID)
    free += sum(group.get("asked_before_at_least", 0) for group in reasons.values())
    send = document["send"] - free
    share = send / max(document["rows"], 1)
    limit = f"ask_above is {catalog.ask_above:.0%}"
    about_sink = document.get("sink_lost") or document.get("sink_unknown")
    if (known or about_sink) and send > _FEW and share > catalog.ask_above:
        lost = f"{about_sink}; " if about_sink else ""
        return f"{lost}{share:.0%} of the rows would be sent, {limit}: about ${document['usd']}"
    gone = document["left"].get(Reason.GONE.name.lower(), {"rows": 0})["rows"]
    return _why_ask_about_gone(catalog, gone, document["rows"] + gone, limit)


_TAKEN_OUT: Final = {"mark": "marked", "delete": "deleted"}


def _why_ask_about_gone(catalog: Catalog, gone: int, before: int, limit: str) -> str | None:
    """A source that was cut off, or is half written, looks like one that many rows have left."""
    sink = catalog.sink
    if sink is None or sink.kind == "callback" or sink.gone not in _TAKEN_OUT:
        return None
    if gone <= _FEW or gone <= catalog.ask_above * before:
        return None
    return (
        f"{gone:,} of {before:,} rows are gone from the source and would be {_TAKEN_OUT[sink.gone]} in the sink,"
        f" {limit}: is the source whole?"
    )


def _keep(taken: TakenRun) -> None:
    with (
        opened_plan(taken.catalog, taken.wish) as (diff, document),
        process.database().transaction() as connection,
    ):
        recipe = ledger.recipe_number(connection, taken.run.catalog_id, hashes(recipe_of(taken.catalog)))
        latest = document.get("sink_latest")
        number = max(taken.run.number, latest + 1) if isinstance(latest, int) else taken.run.number
        kept = runs.keep_plan(
            connection,
            taken.run.id,
            taken.owner,
            number=number,
            plan=orjson.dumps(document).decode(),
            recipe=recipe,
            groups=_parts(diff, recipe, number),
        )
        taken.must(kept)
        if diff.rendered_alike:
            _take_over(connection, taken.run.catalog_id, diff, recipe)


def _take_over(connection: Connection, catalog_id: int, diff: Diff, recipe: int) -> None:
    """The memory gets the new recipe's number for rows that aren't sent anew."""
    for parts in memory.groups(ledger.size(connection, catalog_id)):
        same = diff.same_by_another_recipe(parts)
        same["recipe"] = recipe
        merged = memory.merged(ledger.entries(connection, catalog_id, parts), same)
        ledger.replace_entries(connection, catalog_id, merged)


def _parts(diff: Diff, recipe: int, run: int) -> Iterator[dict[int, bytes]]:
    """The entries of a plan, some parts at a time."""
    for entries in diff.entries():
        entries["recipe"], entries["run"] = recipe, run
        yield memory.parts(entries)


def _over_its_cap(catalog: Catalog, run_id: int, least_usd: Decimal) -> str | None:
    """Why a plan costs too much at its least; None when it doesn't."""
    cap = cap_of_a_run(catalog, run_id)
    least = int(least_usd * 10**9)
    if cap is None or (least <= cap[0] and cap[0]):
        return None
    left, which = cap
    return f"it would cost {money(least)} at least, {which} leaves {money(left)}: raise it, or send less with --limit"


def _document(
    catalog: Catalog, diff: Diff, estimates: dict[Reason, Estimate], *, has_memory: bool
) -> dict[str, object]:
    """A plan as JSON."""
    total = Dollars.sum(estimate.dollars for estimate in estimates.values())
    return {
        "v": 1,
        "catalog": catalog.name,
        "rows": diff.rows,
        "send": diff.sent,
        "answered": sum(diff.reasons.get(reason, 0) for reason in PAID),
        "known": has_memory,
        "reasons": {
            reason.name.lower(): {"words": reason.words, "rows": rows, **(estimates[reason].document() if rows else {})}
            for reason, rows in sorted(diff.reasons.items())
            if reason in estimates
        },
        "left": {
            reason.name.lower(): {"words": reason.words, "rows": rows}
            for reason, rows in sorted(diff.reasons.items())
            if reason not in estimates
        },
        **total.document(),
    }
