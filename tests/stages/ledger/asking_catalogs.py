"""What the ledger is asked about catalogs: their memory, their runs, and what came back."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import Connection

from overnight_models.ledger.catalogs import (
    answers,
    invalidating,
    late_runs,
    lengths,
    memory,
    published,
    reports,
    reviving,
    runs,
    schedules,
)
from overnight_models.ledger.catalogs.answers import Unsent
from overnight_models.ledger.catalogs.memory import Recipe
from overnight_models.ledger.operators.purge import catalogs as purged_catalogs
from overnight_models.ledger.rows import execute
from overnight_models.states import CATALOG_RUN

ENTRY = bytes(39)


def ask_catalogs(connection: Connection) -> None:
    """A run from its beginning to its end."""
    execute(connection, "INSERT INTO catalog (name) VALUES ('shop')")
    catalog_id = memory.catalog_id(connection, "shop")
    assert catalog_id is not None
    recipe = Recipe('["name"]', b"p", b"", "claude-haiku-5-5", b"m")
    assert (
        memory.recipe_number(connection, catalog_id, recipe)
        == 1
        == memory.recipe_number(connection, catalog_id, recipe)
    )
    assert [recipe.number for recipe in memory.recipes(connection, catalog_id)] == [1]
    assert memory.size(connection, catalog_id) == 0
    memory.replace_entries(connection, catalog_id, {0: ENTRY, 7: ENTRY})
    memory.replace_entries(connection, catalog_id, {7: b""})
    assert memory.entries(connection, catalog_id) == ENTRY
    assert purged_catalogs.forget_rows(connection, [f"catalog/shop/{'0' * 32}/-/{'0' * 16}"]) in (0, 1)
    memory.replace_entries(connection, catalog_id, {0: ENTRY})
    run_id = runs.begin(
        connection, catalog_id, path="shop.toml", declaration="", wish="{}", nominal_at="2026-11-30T22:00"
    )
    assert run_id is not None
    assert runs.begin(connection, catalog_id, path="shop.toml", declaration="", wish="{}") is None
    assert runs.claim(connection, run_id, 1, "a test")
    assert runs.keep_plan(connection, run_id, 1, number=1, plan="{}", recipe=1, groups=[{0: ENTRY}])
    assert memory.planned(connection, run_id) == ENTRY
    assert memory.planned_size(connection, run_id) == len(ENTRY)
    assert runs.move(connection, run_id, 1, CATALOG_RUN.ask, reason="much")
    assert runs.to_be_advanced(connection) == []
    assert runs.approve(connection, run_id, "a person")
    assert runs.note_enqueued(connection, run_id, 1, "{}")
    runs.note_waits(connection, run_id, 1, "waits: its sink is away")
    assert [run.name for run in runs.waiting(connection)] == ["shop-1"]
    runs.note_goes_on(connection, run_id, 1)
    assert late_runs.unlooked(connection, limit=5) == []
    assert not late_runs.take_look(connection, run_id), "it has no finish_by"
    late_runs.note(connection, run_id, "will be late")
    assert late_runs.late_runs(connection) == [("shop-1", "will be late", False)]
    assert runs.want_stop(connection, run_id, "a person")
    assert runs.move(connection, run_id, 1, CATALOG_RUN.stop, reason="enough")
    runs.release(connection, run_id, 1)
    (run,) = runs.runs(connection, catalog="shop", number=1)
    assert runs.read(connection, run_id) == run
    answers.note_unsent(connection, run_id, [Unsent(bytes(16), '["1"]', None, "can't be sent", "null")])
    assert len(answers.unsent(connection, run_id)) == 1
    answers.verdicts(connection, "r")
    lengths.of_recipe(connection, "shop", 1)
    answers.groups(connection, "r")
    assert invalidating.invalidate(connection, {10**12: "not of the class"}) == 0
    assert reviving.invalid(connection, "shop") == reviving.invalid(connection, "shop", run="r") == []
    assert reviving.revive(connection, [10**12]) == 0
    answers.to_ask_again(connection, "r", ["cut_off"], times=2, after=0)
    assert answers.spent(connection, "shop", hours=24, but=run_id) == 0
    published.page(connection, "r", only_problems=True, after=0)
    answers.not_sent(connection, "r", held=False)
    assert answers.under_way(connection, "r") is not None
    assert answers.failed(connection, "shop", but=("refused",)) == []
    memory.forget_planned(connection, run_id)
    _ask_reports(connection, run_id)
    _ask_schedules(connection, catalog_id)


def _ask_reports(connection: Connection, run_id: int) -> None:
    """A report from the rows that are drawn to the callback that gets it."""
    reports.draw(connection, "r", rows=10)
    assert reports.note_before(connection, run_id, "[]")
    assert not reports.note_before(connection, run_id, "[1]")
    assert reports.before(connection, run_id) == "[]"
    reports.progress(connection, "r", parts=60)
    reports.lengths(connection, "r", parts=24)
    reports.tokens(connection, "r")
    assert reports.keep(connection, run_id, '{"v": 1}', '{"task": "shop.read"}')
    assert reports.document(connection, run_id) == '{"v": 1}'
    assert reports.unsent(connection) == [run_id]
    waiting = reports.lock_unsent(connection, run_id)
    assert waiting is not None
    assert waiting.name == "shop-1"
    reports.note_sent(connection, run_id)
    assert reports.unsent(connection) == []


def _ask_schedules(connection: Connection, catalog_id: int) -> None:
    """A schedule from the day it is kept to the day it is forgotten."""
    declared = schedules.Declared("shop.toml", "", "0 22 * * *", "UTC", None, "skip", "drop")
    past, later = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
    schedules.keep(connection, "shop", declared, next_at=past, who="a person")
    (schedule,) = schedules.schedules(connection, "shop")
    assert schedules.next_due(connection, 0) == schedule
    assert schedules.last_declaration(connection, catalog_id) == ""
    schedules.pass_over(connection, catalog_id, "2026-11-29T22:00", "it was skipped")
    schedules.go_on(connection, catalog_id, later)
    assert len(schedules.last_times(connection, catalog_id, 3)) == 2
    schedules.skip(connection, catalog_id, "2026-12-01T22:00")
    assert schedules.pause(connection, catalog_id, who="a person", reason="a sale")
    assert schedules.resume(connection, catalog_id, later)
    assert schedules.forget(connection, catalog_id)
