"""Rows become items. Sent again after a death, they are the same items."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from overnight_models.crash_points import reach
from overnight_models.errors import PermanentError
from overnight_models.ledger import answer
from overnight_models.ledger.catalogs import answers
from overnight_models.ledger.catalogs import memory as ledger
from overnight_models.ledger.catalogs.answers import Unsent
from overnight_models.ledger.money import budgets
from overnight_models.states import ITEM
from overnight_models.wire.outcome import Problem
from overnight_producers import Item, Overnight, task
from overnight_workers import process
from overnight_workers.catalogs import memory, reviving, trying
from overnight_workers.catalogs.diff import PAID, Reason
from overnight_workers.catalogs.faults import BadRow
from overnight_workers.catalogs.opened import Opened, opened
from overnight_workers.catalogs.recipe import hashes, recipe_of
from overnight_workers.catalogs.rows import Row, item_key, read_item_key
from overnight_workers.catalogs.runs.capping import cap_of_a_run, check_row
from overnight_workers.catalogs.runs.publishing import USELESS
from overnight_workers.catalogs.runs.taken import AT_ONCE, TakenRun, planned
from overnight_workers.settings import settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NOTED_AT_ONCE: Final = 500
_NEWS_EVERY: Final = 100
"""Rows between two words about the progress."""
_CONFIRM_S: Final = 60.0
_KEEP: Final = (Problem.REFUSED, *USELESS)
"""What is paid for again only on a person's word, or never."""


class RecipeChanged(PermanentError):
    """What the catalog's declaration names (a class, a schema) isn't what the run was planned with."""


def enqueue(taken: TakenRun, *, max_rows: int | None = None) -> dict[str, int]:
    """Hand over the rows of the plan that aren't items yet, and see them into Postgres.

    max_rows: only so many of them, the same ones each time.

    Returns how many were looked at and how many couldn't be sent. Raises NotConfirmed, BadSource, RecipeChanged.
    """
    recipe = recipe_of(taken.catalog)
    with process.database().transaction() as connection:
        number = ledger.recipe_number(connection, taken.run.catalog_id, hashes(recipe))
    if number != taken.run.recipe:
        raise RecipeChanged(
            f"run {taken.run.name} was planned with another prompt, schema or model than its files have now:"
            " stop it and run the catalog again; what is answered is paid and kept"
        )
    _reserve(taken)
    reviving.revive(taken.catalog)
    with opened(taken.catalog, recipe, taken.wish.where) as source:
        memory.load(source.connection, "planned", planned(taken))
        choose(source.connection, taken, max_rows)
        sender = _Sender(taken, source)
        sender.send(f"state <> {Reason.FAILED}", "deliver")
        if sender.send(f"state = {Reason.FAILED}", "redo"):
            # what didn't fail after all, or was asked again by somebody: its answer is taken
            sender.send("n IN (SELECT n FROM turned_down)", "deliver")
        return {"looked_at": sender.looked_at, "unsent": sender.unsent}


def choose(connection: DuckDBPyConnection, taken: TakenRun, max_rows: int | None) -> None:
    """Make the table of what is to be enqueued: planned, and no item of this run yet.

    max_rows: of a pilot, which is about rows that will be paid: what was answered before says nothing new.
    """
    some = ""
    if max_rows is not None:
        by_chance = f"md5(high::VARCHAR || '/' || low::VARCHAR || '/{taken.run.number}')"
        some = f"AND state NOT IN ({', '.join(map(str, map(int, PAID)))}) ORDER BY {by_chance} LIMIT {max_rows}"
    connection.execute(f"""
        CREATE TABLE chosen AS SELECT {memory.HASH} AS n, state, input FROM planned WHERE state < {Reason.LEFT} {some}
    """)
    connection.execute("CREATE TABLE turned_down (n UHUGEINT)")
    after = 0
    while True:
        with process.database().transaction() as ledger_connection:
            page = answers.verdicts(ledger_connection, taken.run.name, after=after, limit=AT_ONCE)
        if not page:
            break
        after = page[-1].id
        connection.execute("CREATE OR REPLACE TABLE there (n UHUGEINT)")
        memory.insert(connection, "there", b"".join(read_item_key(verdict.key)[0] for verdict in page))
        connection.execute("DELETE FROM chosen WHERE n IN (SELECT n FROM there)")
    _note_taken_back(connection, taken)


def _note_taken_back(connection: DuckDBPyConnection, taken: TakenRun) -> None:
    """What an earlier run took back, or what failed in a way that another try may not, is asked again.

    So is what was only tried, and has no useful answer.

    Its key is known, and delivered it would only say again that it has no answer.
    """
    connection.execute("CREATE OR REPLACE TABLE taken_back (n UHUGEINT)")
    looked_at = (trying.run_name(taken.catalog), trying.compared_run_name(taken.catalog))
    for run, but in ((None, _KEEP), *((run, (Problem.REFUSED,)) for run in looked_at)):
        after = 0
        while True:
            with process.database().transaction() as ledger_connection:
                page = answers.failed(
                    ledger_connection, taken.run.catalog, run=run, but=but, after=after, limit=AT_ONCE
                )
            if not page:
                break
            after = page[-1].id
            memory.insert(connection, "taken_back", b"".join(read_item_key(row.key)[0] for row in page))
    connection.execute(f"UPDATE chosen SET state = {Reason.FAILED} WHERE n IN (SELECT n FROM taken_back)")


class _Sender:
    """Sends the chosen rows of one run."""

    def __init__(self, taken: TakenRun, source: Opened) -> None:
        self._taken, self._source = taken, source
        self._waiting: list[Unsent] = []
        self._rows: dict[str, tuple[str, str | None]] = {}
        self.looked_at = self.unsent = 0

    def send(self, which: str, if_known: str) -> bool:
        """Hand over those of the chosen. Returns whether any was turned down that may be known by now."""
        catalog = self._taken.catalog
        reach("before enqueuing")
        done = Overnight(settings().redis_url or None).enqueue_confirmed(
            self._items(f"SELECT n, state, input FROM chosen WHERE {which}", if_known),
            lane=catalog.lane,
            run=self._taken.run.name,
            timeout=_CONFIRM_S,
        )
        reach("after enqueuing")
        again: list[bytes] = []
        for rejection in done.rejected:
            entry, variant, _ = read_item_key(rejection.key or "")
            if if_known == "redo":
                again.append(entry)
            else:
                self._note(Unsent(entry, "[]", variant, "turned down", rejection.why))
        memory.insert(self._source.connection, "turned_down", b"".join(again))
        self._flush()
        return bool(again)

    def _items(self, chosen: str, if_known: str) -> Iterator[Item]:
        sink = self._taken.catalog.sink
        callback = None
        if sink is not None and sink.task is not None:
            callback = task(sink.task, queue=sink.queue or "", broker=sink.broker)
        for row in self._source.rows.read(self._source.connection, chosen, same_input=True):
            self.looked_at += 1
            if self.looked_at % _NEWS_EVERY == 0:
                self._taken.news(self.looked_at)
            try:
                request = self._source.rows.recipe.request(row.cells, row.variant)
                check_row(self._taken.catalog, request)
            except BadRow as error:
                self._note(_unsent(row, str(error)))
                continue
            yield Item(
                params=request.params,
                key=item_key(self._taken.catalog.name, row, request),
                output=request.output,
                betas=request.betas,
                cuttable=request.cuttable,
                callback=callback,
                trace_id=row.key_text,
                deadline=self._taken.run.finish_at,
                if_known="redo" if if_known == "redo" else "deliver",
            )

    def _note(self, row: Unsent) -> None:
        self.unsent += 1
        self._waiting.append(row)
        if len(self._waiting) >= _NOTED_AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            with process.database().transaction() as connection:
                answers.note_unsent(connection, self._taken.run.id, self._waiting)
            self._waiting = []


def _unsent(row: Row, why: str) -> Unsent:
    return Unsent(row.entry, row.key_text, row.variant, "can't be sent", why)


def _reserve(taken: TakenRun) -> None:
    """The run's cap is a budget of the run, before its first item."""
    cap = cap_of_a_run(taken.catalog, taken.run.id)
    if cap is None:
        return
    run_id = process.names().run(taken.run.name)
    assert run_id is not None, "it has a name"
    with process.database().transaction() as connection:
        budgets.set_budget(connection, "run", run_id, "all", cap[0], process.prices(), strict=True)


def unfinished(taken: TakenRun) -> dict[str, int]:
    """The run's items that aren't final, by state."""
    with process.database().transaction() as connection:
        counts = answer.run_counts(connection, taken.run.name) or {}
    return {state: n for state, n in counts.items() if state not in ITEM.final}
