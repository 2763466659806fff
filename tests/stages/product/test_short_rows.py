"""What many rows would have in common stands in one place: everybody reads it as if it stood in each row."""

from __future__ import annotations

from typing import Any, Final

import orjson
import pytest
from typer.testing import CliRunner

from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_models.ledger.collect.outcomes import record
from overnight_models.ledger.money.history import answers_of
from overnight_producers import Overnight
from overnight_workers import process
from overnight_workers.cli import app
from tests.driving import Service, callback, item


def callbacks(service: Service) -> list[dict[str, Any]]:
    """Where the outcomes of requests go, as it stands in their rows."""
    return service.ledger.fetch_all("SELECT callback, callback_id FROM request ORDER BY item_id")


def delivered(service: Service, queue: str = "shop") -> list[dict[str, Any]]:
    """The outcomes that a product's queue has."""
    return [orjson.loads(message["body"])[0][0] for message in service.queue(queue)]


def only_batch(service: Service) -> str:
    """The API's own id of the only batch."""
    return str(service.ledger.fetch_one("SELECT api_id FROM submission")["api_id"])


def test_a_callback_and_a_batch_that_items_have_in_common_are_written_once(
    service: Service, product: Overnight
) -> None:
    service.accept(*(item(key, callback=callback()) for key in "abc"))
    service.accept(item("d", callback=callback()))
    service.finish()
    assert callbacks(service) == [{"callback": None, "callback_id": 1}] * 4
    assert service.ledger.fetch_all("SELECT api_batch_id FROM outcome") == [{"api_batch_id": None}] * 4
    assert {outcome["batch_id"] for outcome in delivered(service)} == {only_batch(service)}
    outcome = product.outcome(key="d")
    assert outcome is not None
    assert outcome.batch_id == only_batch(service)


@pytest.mark.parametrize("own", [{"args": [7]}, {"kwargs": {"customer": "Ada"}}, {"task": "t" * 500}])
def test_what_a_callback_says_of_its_item_stays_in_the_row_of_that_item(service: Service, own: dict[str, Any]) -> None:
    service.accept(item("a", callback=callback(**own)), item("b", callback=callback(**own)))
    assert [row["callback_id"] for row in callbacks(service)] == [None, None]
    assert {**callback(), **own} == orjson.loads(callbacks(service)[0]["callback"])
    assert service.ledger.fetch_all("SELECT * FROM callback") == []


def test_while_workers_may_run_that_look_for_them_in_rows_texts_stand_in_each_row(service: Service) -> None:
    service.ledger.execute("UPDATE deployment SET short_rows = false")
    service.accept(item("a", callback=callback()))
    service.finish()
    service.ledger.execute("UPDATE deployment SET short_rows = true")
    assert [row["callback_id"] for row in callbacks(service)] == [None]
    assert service.ledger.fetch_one("SELECT api_batch_id FROM outcome")["api_batch_id"] == only_batch(service)
    service.accept(item("a", callback=callback()))
    assert service.ledger.states("item") == ["succeeded"], "the same wish, however it is written"
    service.accept(item("b", callback=callback()))
    service.finish()
    assert len(delivered(service)) == 2


SHORT = {"via": None, "model": None, "cache_read_tokens": None, "cache_write_5m_tokens": None}
AS_ROWS_HAVE_IT = f"SELECT {', '.join(SHORT)}, model_id FROM outcome ORDER BY item_id"


def as_everybody_reads_it(product: Overnight, key: str) -> tuple[str | None, str | None]:
    """The road of an item and the model that served it; its bill has the tokens that its answer says."""
    outcome = product.outcome(key=key)
    assert outcome is not None
    assert outcome.usage is not None
    printed = orjson.loads(CliRunner().invoke(app, ["outcomes", "--key", key]).stdout)
    assert (printed["via"], printed["model"]) == (outcome.via, outcome.model)
    with process.database().transaction() as connection:
        billed = answers_of(connection, "default", [key])[key]
    assert (billed.tokens_in, billed.tokens_out) == (outcome.usage["input_tokens"], outcome.usage["output_tokens"])
    return outcome.via, outcome.model


def test_an_outcome_leaves_out_what_most_have_in_common_and_everybody_reads_it(
    service: Service, product: Overnight
) -> None:
    service.accept(item("a"), item("b"))
    service.finish()
    (number,) = (row["id"] for row in service.ledger.fetch_all("SELECT id FROM model"))
    assert service.ledger.fetch_all(AS_ROWS_HAVE_IT) == [SHORT | {"model_id": number}] * 2
    assert as_everybody_reads_it(product, "a") == ("batch", "claude-haiku-5-5")


def test_while_workers_may_run_that_look_for_it_in_outcomes_nothing_is_left_out(
    service: Service, product: Overnight
) -> None:
    service.ledger.execute("UPDATE deployment SET short_outcomes = false")
    service.accept(item("a"))
    service.finish()
    service.ledger.execute("UPDATE deployment SET short_outcomes = true")
    assert service.ledger.fetch_all(AS_ROWS_HAVE_IT) == [
        {
            "via": "batch",
            "model": "claude-haiku-5-5",
            "cache_read_tokens": 0,
            "cache_write_5m_tokens": 0,
            "model_id": None,
        }
    ]
    assert as_everybody_reads_it(product, "a") == ("batch", "claude-haiku-5-5")


COUNTS: Final[dict[str, Any]] = {
    "input_tokens": 11,
    "cache_write_5m_tokens": 2,
    "cache_write_1h_tokens": 7,
    "cache_read_tokens": 5,
    "output_tokens": 13,
}
"""No two alike."""


@pytest.mark.parametrize("name", ["claude-" + "x" * 3_000, "claude\x00haiku"])
def test_a_model_whose_name_is_no_name_stands_in_the_row_of_its_outcome(service: Service, name: str) -> None:
    service.accept(item("a"), item("b"))
    first, second = (row["id"] for row in service.ledger.fetch_all("SELECT id FROM item ORDER BY id"))
    source = Source(submission_id=7, batch_id=99, api_batch_id=None, only_live=False)
    arrivals = [
        Arrival(first, Fate.SUCCEED, message=b"{}", model=name, billed=True, thinking_tokens=3),
        Arrival(second, Fate.SUCCEED, message=b"{}", model="claude-of-tomorrow", billed=True, **COUNTS),
    ]
    with process.database().transaction() as connection:
        record(connection, source, arrivals, max_attempts=3)
    rows = [
        {"model": name.replace("\x00", "\ufffd"), **dict.fromkeys(COUNTS, 0), "thinking_tokens": 3},
        {"model": "claude-of-tomorrow", **COUNTS, "thinking_tokens": 0},
    ]
    for view in ("whole_outcome", "bill"):
        read = f"SELECT model, {', '.join(COUNTS)}, thinking_tokens FROM {view} ORDER BY item_id"
        assert service.ledger.fetch_all(read) == rows, view
    assert [row["named"] for row in service.ledger.fetch_all(NAMED)] == [True, False]


NAMED = "SELECT model IS NOT NULL AS named FROM outcome ORDER BY item_id"


def test_an_item_that_follows_and_one_that_is_tried_again_have_callback_and_batch(service: Service) -> None:
    service.accept(item("a", "same", callback=callback()))
    service.finish()
    service.accept(item("a", "same", callback=callback("crm"), if_known="deliver"))
    service.finish()
    (followed,) = delivered(service, "crm")
    assert followed["batch_id"] == only_batch(service)
    service.accept(item("b", fault="refused", callback=callback()))
    service.finish()
    assert CliRunner().invoke(app, ["redo", "b", "--yes"]).exit_code == 0
    service.finish()
    assert [outcome["key"] for outcome in delivered(service)].count("b") == 2


def test_an_answer_from_a_batch_that_an_item_has_left_names_that_batch_itself(service: Service) -> None:
    """Its submission goes when no item is in that batch any more."""
    service.accept(item("a"))
    (number,) = (row["id"] for row in service.ledger.fetch_all("SELECT id FROM item"))
    late = Source(submission_id=7, batch_id=99, api_batch_id="msgbatch_late", only_live=False)
    answer = Arrival(number, Fate.SUCCEED, message=b"{}", model="m", billed=True)
    with process.database().transaction() as connection:
        record(connection, late, [answer], max_attempts=3)
    assert service.ledger.item("a")["api_batch_id"] == "msgbatch_late"


def test_a_purge_leaves_no_callback_in_the_row(service: Service) -> None:
    service.accept(item("a", tenant="acme", callback=callback()))
    service.finish()
    assert CliRunner().invoke(app, ["purge", "--tenant", "acme", "--yes"]).exit_code == 0
    assert callbacks(service) == [{"callback": None, "callback_id": None}]
