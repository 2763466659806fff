"""A catalog night after night: which rows are sent and why, and what stands in the sink."""

from __future__ import annotations

import pytest

from overnight_models.ledger.catalogs import memory as ledger
from overnight_models.ledger.catalogs.runs import Run
from overnight_workers import process
from overnight_workers.catalogs import diff, memory
from overnight_workers.catalogs.faults import BadSource
from overnight_workers.catalogs.runs import advancing
from tests.driving import MODEL
from tests.stages.catalogs.conftest import Enriched, shop


def reasons(plan: dict[str, dict[str, dict[str, object]]]) -> dict[str, object]:
    return {reason["words"]: reason["rows"] for reason in [*plan["reasons"].values(), *plan["left"].values()]}  # type: ignore[misc]


def test_the_first_night_sends_every_row_and_the_second_only_what_changed(catalog: Enriched) -> None:
    catalog.write(shop(8))
    first = catalog.run()
    assert (first.state, first.reason) == ("complete", None)
    assert catalog.sent == 8
    assert len(catalog.published()) == 8
    assert all(row["title"] and row["stars"] and not row["overnight_problem"] for row in catalog.published())
    catalog.write(shop(9, A1={"maker": "Beta"}, A2={"price": "7.00"}))
    assert reasons(catalog.plan()) == {"new": 1, "row changed": 1, "unchanged": 7}
    second = catalog.run()
    assert second.state == "complete"
    assert catalog.sent == 10
    assert {row["sku"]: row["overnight_run"] for row in catalog.published()} == {
        f"A{at}": "2" if at in (1, 8) else "1" for at in range(9)
    }


def test_a_changed_prompt_asks_first_and_says_how_many_rows_and_dollars(catalog: Enriched) -> None:
    catalog.write(shop(30))
    assert catalog.run().state == "complete"
    catalog.declare(prompt="Praise {{ name }} of {{ maker }}")
    asking = catalog.run()
    assert asking.state == "asking"
    assert "prompt changed: 30 rows, about $" in str(asking.reason)
    assert catalog.sent == 30
    assert advancing.approve(asking.id)
    assert catalog.finish(advancing.read(asking.id)).state == "complete"
    assert catalog.sent == 60
    # another text that renders alike is no change
    catalog.declare(prompt="Praise {{ row.name }} of {{ maker }}")
    assert reasons(catalog.plan()) == {"unchanged": 30}
    (before,) = recipes_in_memory(asking)
    assert catalog.run().state == "complete"
    assert catalog.sent == 60
    assert recipes_in_memory(asking) == {before + 1}, "they aren't rendered every night"


def recipes_in_memory(run: Run) -> set[int]:
    """The recipes by which the rows of its catalog were sent, or would have been just the same."""
    with process.database().transaction() as connection:
        return set(memory.entries(ledger.entries(connection, run.catalog_id))["recipe"].tolist())


def test_a_column_that_is_not_in_the_prompt_a_schema_a_model_and_parameters(catalog: Enriched) -> None:
    catalog.write(shop(3))
    catalog.run()
    catalog.write(shop(3, A0={"price": "9.99"}))
    assert reasons(catalog.plan()) == {"unchanged": 3}
    catalog.declare(model="claude-sonnet-4-6")
    assert reasons(catalog.plan()) == {"model changed": 3}
    catalog.declare(model=MODEL, more='on_prompt_change = "new_only"', prompt="Other {{ name }}")


def test_rows_that_are_gone_are_kept_or_deleted(catalog: Enriched) -> None:
    catalog.declare(gone='gone = "delete"')
    catalog.write(shop(4))
    catalog.run()
    catalog.write({key: row for key, row in shop(4).items() if key != "A2"})
    assert reasons(catalog.plan()) == {"unchanged": 3, "gone from the source": 1}
    assert catalog.run().state == "complete"
    assert [row["sku"] for row in catalog.published()] == ["A0", "A1", "A3"]
    assert reasons(catalog.plan()) == {"unchanged": 3}
    assert catalog.sent == 4


def test_a_key_that_stands_twice_is_named_though_as_many_others_are_gone(catalog: Enriched) -> None:
    catalog.write(shop(4))
    catalog.run()
    source = catalog.directory / "in.csv"
    source.write_text(source.read_text().replace("A2,", "A1,"))
    with pytest.raises(BadSource, match="'A1' in rows 2, 3"):
        catalog.plan()


def test_a_row_that_is_gone_is_counted_though_another_is_new(catalog: Enriched) -> None:
    catalog.write(shop(4))
    catalog.run()
    source = catalog.directory / "in.csv"
    source.write_text(source.read_text().replace("A2,", "A9,"))
    assert reasons(catalog.plan()) == {"new": 1, "unchanged": 3, "gone from the source": 1}


def test_columns_called_as_the_engine_calls_its_own_are_columns(catalog: Enriched) -> None:
    catalog.declare(prompt="Describe {{ n }} of {{ input }}, {{ row_hash }}")
    catalog.write({"A1": {"n": "a kettle", "input": "Acme", "row_hash": "red", "keys": "1", "variant": "2"}})
    assert catalog.run().state == "complete"
    assert len(catalog.published()) == 1


def test_keys_that_are_counted_in_parts_are_all_compared(catalog: Enriched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diff, "_COUNTED_AT_ONCE", 5)
    catalog.write(shop(23))
    assert catalog.plan()["send"] == 23
    source = catalog.directory / "in.csv"
    source.write_text(source.read_text() + "A7,a second seven,Acme,1.10\n")
    with pytest.raises(BadSource, match="'A7' in rows 8, 24"):
        catalog.plan()
