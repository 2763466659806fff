"""Collect: every line of a batch's results is recorded once, and lines that lack, repeat or lie are noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from overnight_models.ledger.collect import collect as ledger
from overnight_models.ledger.collect import outcomes
from overnight_models.ledger.collect.arrivals import Arrival, Fate, Source
from overnight_workers import process
from overnight_workers.anthropic_api import result_lines
from overnight_workers.stages.collect import collect as collecting
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item, params

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


def ended(service: Service, *items: dict[str, Any]) -> None:
    """One batch with these, at its end."""
    service.accept(*items)
    pack()
    submit()
    poll()
    assert service.ledger.states("batch")[-1] == "ended"


def many(count: int = 10) -> list[dict[str, Any]]:
    return [item(f"k{n}") for n in range(count)]


@pytest.mark.parametrize("do", ["cut_mid_line", "cut_at_line", "reset"])
@pytest.mark.parametrize("lines", [0, 1, 6])
def test_results_that_break_off_are_read_again_and_recorded_once(service: Service, do: str, lines: int) -> None:
    ended(service, *many())
    service.api.fault("results", do, lines=lines, count=1)
    collect()
    assert service.ledger.states("batch") == ["incomplete"]
    assert service.ledger.states("item").count("succeeded") <= lines
    assert collect().startswith("0 batches"), "not before a pause"
    service.clock.pauses_are_over()
    collect()
    assert (service.ledger.states("batch"), service.ledger.states("item")) == (["collected"], ["succeeded"] * 10)
    assert service.ledger.fetch_one("SELECT count(*) AS n, sum(cost_nano)::bigint AS nano FROM bill") == {
        "n": 10,
        "nano": service.api.meter()["nano"],
    }


def test_results_that_stall_are_read_again(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(result_lines, "STALL_S", 0.3)
    ended(service, *many())
    service.api.fault("results", "stall", lines=3, seconds=2, count=1)
    collect()
    assert service.ledger.states("batch") == ["incomplete"]
    service.finish()
    assert (service.ledger.states("batch"), service.api.meter()["billed"]) == (["collected"], 10)


def test_results_that_find_no_room_for_what_is_put_off_are_read_again(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    service.accept(item("errored", fault="errored"), item("expired", fault="expired"))
    pack()
    submit()
    poll()
    monkeypatch.setattr(collecting, "_CHUNK_BYTES", 1)
    with monkeypatch.context() as context:
        context.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
        collect()
    assert service.ledger.states("batch") == ["incomplete"]
    assert "nowhere" in service.ledger.fetch_one("SELECT reason FROM batch")["reason"]
    assert service.ledger.states("item") == ["batched"] * 2
    service.clock.pauses_are_over()
    collect()
    assert service.ledger.states("batch") == ["collected"]


def test_results_that_seem_to_be_on_another_host_are_read_from_our_own(service: Service) -> None:
    service.api.fault("list", "foreign_host")
    service.api.fault("retrieve", "foreign_host")
    service.accept(*many())
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 10


def test_a_404_on_results_heals(service: Service) -> None:
    ended(service, *many(2))
    service.api.fault("results", "missing", count=1)
    collect()
    assert service.ledger.states("batch") == ["incomplete"]
    service.finish()
    assert service.ledger.states("batch") == ["collected"]


def test_results_that_the_api_has_let_go_of_fail_their_items_visibly(unhurried: Service) -> None:
    unhurried.accept(item("a", callback=callback()), item("b"))
    pack()
    submit()
    unhurried.api.http.post("/sandbox/clock", json={"advance_s": 25 * 3600})
    poll()
    unhurried.api.http.post("/sandbox/clock", json={"advance_s": 30 * 24 * 3600})
    collect()
    assert (unhurried.ledger.states("batch"), unhurried.ledger.states("submission")) == (["gone"], ["done"])
    assert unhurried.ledger.states("item") == ["failed", "failed"]
    assert unhurried.ledger.item("a")["problem"] == "given_up"
    assert unhurried.ledger.states("delivery") == ["due"]
    unhurried.finish()
    assert unhurried.api.meter()["creates"] == 1, "they are paid, so they aren't sent again"


def test_a_line_twice_is_recorded_once(service: Service) -> None:
    ended(service, item("a", fault="duplicate_line", callback=callback()), item("b"))
    collect()
    assert (service.ledger.states("batch"), service.ledger.states("item")) == (["collected"], ["succeeded"] * 2)
    assert len(service.ledger.fetch_all("SELECT 1 FROM bill")) == 2
    assert (service.ledger.states("delivery"), len(service.queue())) == (["delivered"], 1)


def test_a_line_that_never_comes_is_given_up_visibly_and_not_paid_again(service: Service) -> None:
    ended(service, item("a"), item("lost", fault="missing", callback=callback()))
    service.ledger.execute("UPDATE submission SET ended_at = now() - interval '8 days'")
    for read in range(10):
        assert service.ledger.item("lost")["state"] == "batched", read
        service.clock.pauses_are_over()
        collect()
    lost = service.ledger.item("lost")
    assert (lost["state"], lost["problem"]) == ("failed", "given_up")
    assert service.ledger.states("batch") == ["collected"]
    assert service.ledger.states("delivery") == ["due"]
    assert service.api.meter()["creates"] == 1


def test_results_that_are_short_for_hours_lose_nothing(service: Service) -> None:
    """However often they are read: the API keeps them for 29 days."""
    ended(service, *many(3))
    service.api.fault("results", "short", lines=1, seconds=3600)
    for _ in range(20):
        collect()
        service.clock.pauses_are_over()
    assert (service.ledger.states("batch"), service.ledger.states("item").count("succeeded")) == (["incomplete"], 1)
    assert service.ledger.fetch_one("SELECT error FROM submission")["error"].startswith("2 of 3 results are missing")
    service.api.faults_are_over()
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 3


def test_the_pause_before_it_is_read_again_for_what_is_missing_grows_to_an_hour(service: Service) -> None:
    ended(service, item("a"), item("lost", fault="missing"))
    for _ in range(12):
        collect()
        service.clock.pauses_are_over()
    collect()
    row = service.ledger.fetch_one("SELECT extract(epoch FROM next_read_at - now())::float AS pause_s FROM submission")
    assert 3500 < row["pause_s"] <= 3600


@pytest.mark.parametrize("broken", ["the reader was killed", "the API was down"])
def test_reads_that_broke_off_give_nothing_up(service: Service, broken: str) -> None:
    """However many there were: one that ends too early afterwards is the first to miss something."""
    ended(service, *(item(key) for key in "abc"))
    if broken == "the API was down":
        service.api.fault("results", "status", status=500, count=20)
    for _ in range(20):
        if broken == "the API was down":
            collect()
        else:
            with process.database().transaction() as connection:
                assert ledger.claim(connection, owner=process.database().owner(), lease_s=60) is not None
            process.database().close()
        service.clock.pauses_are_over()
    service.api.fault("results", "cut_at_line", lines=1, count=1)
    collect()
    assert (service.ledger.states("batch"), service.ledger.states("item").count("succeeded")) == (["incomplete"], 1)
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 3


def test_reading_again_changes_nothing(service: Service) -> None:
    ended(service, item("a", callback=callback()), item("b", fault="errored:api_error"), item("c", fault="refused"))
    collect()
    tables = ("item", "outcome", "bill", "spending", "delivery", "batch")
    before = {table: service.ledger.fetch_all(f"SELECT * FROM {table} ORDER BY 1") for table in tables}
    service.ledger.execute("UPDATE submission SET state = 'open', lease_until = NULL")
    collect()
    assert {table: service.ledger.fetch_all(f"SELECT * FROM {table} ORDER BY 1") for table in tables} == before


def test_answers_with_another_token_are_not_believed(service: Service) -> None:
    ended(service, item("a"))
    other = service.api.stranger(1)
    service.ledger.execute("UPDATE submission SET api_id = %s", other)
    collect()
    assert service.ledger.item("a")["state"] == "batched"
    assert "answers of somebody else" in service.ledger.fetch_one("SELECT error FROM submission")["error"]
    assert service.ledger.fetch_all("SELECT 1 FROM bill") == []


def test_a_line_with_an_unknown_custom_id_is_passed_over(service: Service) -> None:
    ended(service, item("a"), item("b"))
    api_id = service.ledger.fetch_one("SELECT api_id FROM submission")["api_id"]
    path = service.sandbox.data_dir / "bodies" / f"{api_id}.json"
    last = service.api.http.get(f"/v1/messages/batches/{api_id}/results").text.splitlines()[-1]
    theirs = orjson.loads(last)["custom_id"]
    path.write_bytes(path.read_bytes().replace(theirs.encode(), b"z" * 20 + theirs[20:].encode()))
    collect()
    assert sorted(service.ledger.states("item")) == ["batched", "succeeded"]
    assert service.ledger.states("batch") == ["incomplete"]


def test_an_error_that_may_pass_is_tried_again_up_to_max_attempts(service: Service) -> None:
    service.configure(lane={"max_attempts": 3})
    service.accept(item("a", fault="errored:overloaded_error", callback=callback()), item("b"))
    service.finish()
    failed = service.ledger.item("a")
    assert (failed["state"], failed["attempts"], failed["problem"]) == ("failed", 3, "errored")
    assert failed["detail"].startswith("overloaded_error")
    assert len(service.ledger.states("submission")) == 3
    assert len(service.ledger.states("delivery")) == 1


@pytest.mark.parametrize("fault", ["errored:api_error:1", "expired:1", "canceled:1", "unknown_type:1"])
def test_what_passes_the_second_time_is_an_answer(service: Service, fault: str) -> None:
    service.accept(item("a", fault=fault))
    service.finish()
    row = service.ledger.item("a")
    assert (row["state"], row["attempts"]) == ("succeeded", 2)
    assert service.ledger.fetch_one("SELECT sum(cost_nano)::bigint AS n FROM bill")["n"] == service.api.meter()["nano"]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("errored:invalid_request_error", "errored"), ("expired", "expired"), ("canceled", "canceled"),
        ("refused", "refused"), ("cut_off", "cut_off"),
    ],
)  # fmt: skip
def test_each_problem_is_named(service: Service, fault: str, problem: str) -> None:
    service.configure(lane={"max_attempts": 1})
    service.accept(item("a", fault=fault))
    service.finish()
    assert (service.ledger.item("a")["state"], service.ledger.item("a")["problem"]) == ("failed", problem)
    assert (
        service.ledger.fetch_one("SELECT coalesce(sum(cost_nano), 0)::bigint AS n FROM bill")["n"]
        == service.api.meter()["nano"]
    )


def test_money_gone_while_it_ran_holds_the_workspace_and_counts_nothing(service: Service) -> None:
    service.configure(lane={"max_attempts": 1})
    service.accept(item("a", fault="errored:billing_error:1"), item("b"))
    service.round()
    assert (service.ledger.item("a")["state"], service.ledger.item("a")["attempts"]) == ("waiting", 0)
    assert "billing_error" in service.ledger.fetch_one("SELECT held_reason FROM workspace")["held_reason"]
    service.ledger.execute("UPDATE workspace SET held_at = now() - interval '61 s'")
    service.finish()
    assert service.ledger.item("a")["state"] == "succeeded"


@pytest.mark.parametrize("gone", ["unwanted", "lane"])
def test_an_item_that_may_not_wait_again_comes_home_too(service: Service, gone: str) -> None:
    service.accept(item("a", fault="errored:billing_error"), item("b", fault="errored:billing_error"))
    pack()
    submit()
    poll()
    if gone == "unwanted":
        service.ledger.execute("UPDATE item SET cancel_wanted = true")
    else:
        service.configure(lane={"max_attempts": 1})
        service.ledger.execute("UPDATE item SET attempts = 2")
    collect()
    assert service.ledger.states("batch") == ["collected"]
    assert service.ledger.states("item") == ["failed", "failed"]


def test_an_answer_is_checked_against_the_whole_schema(service: Service) -> None:
    asked: dict[str, Any] = {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}
    service.accept(
        item("good", params=params(**asked), output=SCHEMA),
        item("bad", params=params(fault="invalid_output", **asked), output=SCHEMA),
    )
    service.finish()
    assert service.ledger.item("good")["state"] == "succeeded"
    bad = service.ledger.item("bad")
    assert (bad["problem"], bad["cost_nano"] > 0) == ("invalid_output", True)


def test_a_schema_that_can_not_be_used_does_not_keep_paid_answers_from_being_read(service: Service) -> None:
    service.accept(item("a", output=SCHEMA), item("b"))
    service.ledger.execute('UPDATE output_schema SET document = \'{"type": "sting"}\'')
    service.finish()
    assert service.ledger.states("item") == ["succeeded", "succeeded"]


@pytest.mark.parametrize("shape", ["once_nested", "bare_usage", "extra_keys"])
def test_lines_of_another_shape_are_read(service: Service, shape: str) -> None:
    service.api.fault("results", shape)
    service.accept(item("a"), item("b", fault="errored:not_found_error"))
    service.finish()
    assert service.ledger.states("item") == ["succeeded", "failed"]
    assert service.ledger.item("b")["detail"].startswith("not_found_error")


def test_the_bill_is_the_meters_to_the_nano_dollar(service: Service) -> None:
    contract = [{"type": "text", "text": "word " * 6000, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    faults = [None, None, "refused", "cut_off", "errored:api_error:1", "expired:1", "duplicate_line"]
    service.accept(
        *(
            item(f"k{n}", params=params(f"{n}", fault=faults[n % 7], model=model, system=contract))
            for n, model in enumerate(["claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"] * 7)
        )
    )
    service.finish()
    meter = service.api.meter()
    billed = service.ledger.fetch_one(
        "SELECT count(*) AS n, sum(cost_nano)::bigint AS nano, sum(realtime_nano)::bigint AS realtime,"
        " bool_and(kept) AS kept FROM bill"
    )
    assert billed == {"n": meter["billed"], "nano": meter["nano"], "realtime": meter["realtime_nano"], "kept": True}
    assert meter["nano"] > 0
    spent = service.ledger.fetch_one("SELECT sum(answers)::int AS n, sum(cost_nano)::bigint AS nano FROM spending")
    assert spent == {"n": meter["billed"], "nano": meter["nano"]}
    sum_ = service.ledger.fetch_one("SELECT sum(cost_nano)::bigint AS nano FROM outcome")
    assert sum_["nano"] == meter["nano"]


def test_a_nul_in_an_error_keeps_no_other_answer_from_being_recorded(service: Service) -> None:
    arrivals = [
        Arrival(service_item, Fate.FAIL_OWN, problem="errored", detail="a\x00b")
        for service_item in two_batched(service)
    ]
    with process.database().transaction() as connection:
        source = Source(1, 1, None, only_live=True)
        assert outcomes.record(connection, source, arrivals, max_attempts=1).failed == 2
    assert service.ledger.item("a")["detail"] == "a\ufffdb"


def two_batched(service: Service) -> list[int]:
    service.accept(item("a"), item("b"))
    pack()
    return [service.ledger.item(key)["id"] for key in "ab"]


def test_a_lane_that_the_configuration_lost_has_the_attempts_of_a_new_one(service: Service) -> None:
    service.configure(lanes={"old": {"max_wait": "0s"}})
    service.accept(item("a", fault="errored:api_error:1"), lane="old")
    pack()
    submit()
    poll()
    service.configure()
    collect()
    assert service.ledger.states("item") == ["waiting"], "it isn't failed for what a configuration says of its lane"


def test_an_answer_counts_that_comes_after_a_line_that_says_expired(service: Service) -> None:
    ended(service, *(item(f"k{n}") for n in range(3)))
    service.api.fault("results", "expired_first")
    collect()
    assert service.ledger.states("item") == ["succeeded"] * 3
    assert service.ledger.states("batch") == ["collected"]
    meter = service.api.meter()
    own = service.ledger.fetch_one("SELECT count(*) AS n, sum(cost_nano)::bigint AS nano FROM bill WHERE kept")
    assert (own["n"], own["nano"]) == (meter["billed"], meter["nano"]) == (3, meter["nano"])


def test_items_that_expired_wait_again_when_the_results_have_no_answer_of_them(service: Service) -> None:
    ended(service, item("a"), item("b", fault="expired:1"))
    collect()
    assert service.ledger.states("item") == ["succeeded", "waiting"]
