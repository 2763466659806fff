"""Measuring: a lane's longest prompt holds, by the API's own count, and nothing longer is paid for by mistake."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from overnight_models.ledger import answer
from overnight_models.ledger.cancel import cancel
from overnight_models.ledger.database import Database
from overnight_models.ledger.documents import document
from overnight_models.ledger.pack import pack as packing
from overnight_models.request.prefix import Prefix
from overnight_models.wire.outcome import Outcome
from overnight_workers import held, process
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.measure import measure as measuring
from overnight_workers.stages.measure.measure import measure
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item, params, put_prefix, text_of
from tests.service.ledger import Json

MOST = 3_000
"""Tokens; the sandbox has one for every four bytes."""
SHORT, FITS, LONG = "kettle " * 10, "kettle " * 1_000, "kettle " * 4_000
PLACE = "messages.0.content"


@pytest.fixture
def refusing(service: Service) -> Service:
    service.configure(lane={"max_input_tokens": MOST})
    return service


@pytest.fixture
def cutting(service: Service) -> Service:
    service.configure(lane={"max_input_tokens": MOST, "when_longer": "cut"})
    return service


def counts(service: Service) -> int:
    return sum(service.api.calls("count_tokens").values())


def outcome(service: Service, key: str) -> Outcome:
    with process.database().transaction() as connection:
        answered = answer.read_item(connection, service.ledger.item(key)["id"])
    assert answered is not None
    return Outcome.read(orjson.loads(orjson.dumps(document(answered))))


def test_too_long_it_is_refused_unpaid_with_the_count_the_limit_and_what_to_do(refusing: Service) -> None:
    refusing.accept(item("long", text_of("long") + LONG), item("short", SHORT))
    refusing.round()
    long = refusing.ledger.item("long")
    assert (long["state"], long["problem"], long["cost_nano"]) == ("failed", "too_long", 0)
    assert f"lane default takes {MOST:,} at most" in long["detail"]
    assert "7,0" in long["detail"], "as the API counts it"
    assert "raise the lane's max_input_tokens" in long["detail"]
    assert refusing.ledger.item("short")["state"] == "succeeded"
    assert refusing.api.meter()["requests"] == 1


def test_what_fits_goes_as_it_is(refusing: Service) -> None:
    refusing.accept(item("fits", FITS))
    pack()
    assert refusing.ledger.states("item") == ["waiting"], "nobody has counted it yet"
    refusing.round()
    assert refusing.ledger.states("item") == ["succeeded"]
    assert outcome(refusing, "fits").cut is None
    assert refusing.ledger.fetch_all("SELECT 1 FROM unmeasured") == []


def test_nothing_is_counted_whose_bytes_say_that_it_fits(refusing: Service) -> None:
    before = counts(refusing)
    refusing.configure(lane={"max_input_tokens": MOST, "check_first": False})
    refusing.accept(*(item(f"i{n}", SHORT) for n in range(20)))
    refusing.round()
    assert refusing.ledger.states("item") == ["succeeded"] * 20
    assert counts(refusing) == before


def test_an_image_is_counted_since_its_bytes_say_nothing(refusing: Service) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}
    refusing.accept(item("image", params=params() | {"messages": [{"role": "user", "content": [image]}]}))
    assert len(refusing.ledger.fetch_all("SELECT 1 FROM unmeasured")) == 1


def test_the_lane_says_how_many_are_to_be_counted(refusing: Service) -> None:
    refusing.accept(item("long", LONG), item("short", SHORT))
    assert [lane.unmeasured for lane in take_snapshot(process.database()).lanes] == [1]
    refusing.round()
    assert [lane.unmeasured for lane in take_snapshot(process.database()).lanes] == [0]


def test_a_lane_without_a_limit_has_nothing_counted(service: Service) -> None:
    service.accept(item("long", LONG, cuttable=PLACE))
    assert service.ledger.fetch_all("SELECT 1 FROM unmeasured") == []
    pack()
    assert service.ledger.states("item") == ["batched"]


def test_cut_it_fits_as_the_api_counts_and_its_outcome_says_so(cutting: Service) -> None:
    cutting.accept(item("long", text_of("long") + LONG, cuttable=PLACE, callback=callback()))
    before = counts(cutting)
    measure()
    calls = counts(cutting) - before
    cutting.round()
    deliver()
    answered = outcome(cutting, "long")
    assert answered.ok
    assert answered.cut is not None
    assert answered.cut["from_tokens"] > 2 * MOST
    assert 0.97 * MOST < answered.cut["to_tokens"] <= MOST
    assert answered.usage is not None
    assert answered.usage["input_tokens"] == answered.cut["to_tokens"]
    assert calls <= 5
    (message,) = cutting.queue()
    (delivered, *_), _, _ = orjson.loads(message["body"])
    assert delivered["cut"] == answered.cut
    stored = json.loads(cutting.ledger.asked()[1])["messages"][0]["content"]
    assert stored.startswith(text_of("long"))
    assert stored in text_of("long") + LONG
    api_id = cutting.ledger.fetch_one("SELECT api_id FROM submission")["api_id"]
    (request,) = cutting.api.body_at_the_api(api_id)["requests"]
    assert request["params"]["messages"][0]["content"] == stored, "what is stored is what was sent"


def test_only_what_is_named_is_cut(cutting: Service) -> None:
    blocks = [{"type": "text", "text": "Which kettles are these?"}, {"type": "text", "text": LONG}]
    asked = params() | {"system": "Be brief.", "messages": [{"role": "user", "content": blocks}]}
    cutting.accept(item("a", params=asked, cuttable="messages.0.content.1.text"))
    cutting.round()
    stored = json.loads(cutting.ledger.asked()[1])
    assert (stored["system"], stored["messages"][0]["content"][0]) == ("Be brief.", blocks[0])
    assert len(stored["messages"][0]["content"][1]["text"]) < len(LONG)
    assert cutting.ledger.states("item") == ["succeeded"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, "name its text that may be cut"),
        ({"cuttable": "system"}, "there is no text at system"),
        ({"cuttable": "messages.1.content"}, "without messages.1.content, which may be cut, it still has"),
    ],
)
def test_what_can_not_be_cut_enough_is_refused(cutting: Service, more: Json, why: str) -> None:
    messages = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "Yes?"}]
    messages.append({"role": "user", "content": "Go on."})
    cutting.accept(item("long", params=params() | {"messages": messages}, **more))
    cutting.round()
    long = cutting.ledger.item("long")
    assert (long["state"], long["problem"]) == ("failed", "too_long")
    assert why in long["detail"]


def test_a_text_that_stands_in_a_shared_prefix_is_cut_for_this_item_alone(cutting: Service) -> None:
    prefix = Prefix.of({"messages": [{"role": "user", "content": LONG}, {"role": "assistant", "content": "Yes?"}]})
    named = {"prefix": put_prefix(cutting, prefix)}
    question = {"messages": [{"role": "user", "content": "Which?"}]}
    other = {"messages": [{"role": "user", "content": "Which of them? " + SHORT}]}
    cutting.accept(
        item("first", params=params() | question, cuttable=PLACE, **named),
        item("last", params=params() | other, cuttable="messages.2.content", **named),
    )
    cutting.round()
    assert outcome(cutting, "first").cut is not None
    assert cutting.ledger.item("first")["prefix_id"] is None
    assert cutting.ledger.item("last")["problem"] == "too_long", "its own question isn't what is long"


def test_a_text_after_a_shared_prefix_leaves_it_shared(cutting: Service) -> None:
    prefix = Prefix.of({"system": "You know kettles. " * 100})
    cutting.accept(item("a", params=params(LONG), cuttable=PLACE, prefix=put_prefix(cutting, prefix)))
    cutting.round()
    row = cutting.ledger.item("a")
    assert row["prefix_id"] is not None
    assert row["state"] == "succeeded"
    answered = outcome(cutting, "a")
    assert answered.cut is not None
    assert answered.usage is not None
    assert sum(answered.usage[name] for name in ("input_tokens", "cache_creation_input_tokens")) <= MOST


def test_what_the_api_refuses_to_count_fails_with_its_words(refusing: Service) -> None:
    refusing.accept(
        item("bad", params=params() | {"messages": [{"role": "user", "content": [{"type": "text"}, LONG]}]}),
        item("ok", FITS),
    )
    refusing.round()
    bad = refusing.ledger.item("bad")
    assert (bad["problem"], "invalid_request_error" in bad["detail"]) == ("rejected", True)
    assert refusing.ledger.item("ok")["state"] == "succeeded"


SEARCH = {"type": "web_search_20260318", "name": "web_search"}
BY_URL = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg"}}


def pictured(text: str, **more: Any) -> Json:
    content = [BY_URL, {"type": "text", "text": text}]
    return params() | {"messages": [{"role": "user", "content": content}]} | more


@pytest.mark.parametrize("asked", [pictured("What?"), params(FITS, tools=[SEARCH]), pictured(FITS, tools=[SEARCH])])
def test_what_can_not_be_counted_is_left_out_of_the_count_and_sent(refusing: Service, asked: Json) -> None:
    refusing.accept(item("a", params=asked))
    assert len(refusing.ledger.fetch_all("SELECT 1 FROM unmeasured")) == 1
    refusing.round()
    assert refusing.ledger.item("a")["state"] == "succeeded"


def test_what_is_too_long_without_what_can_not_be_counted_is_refused_and_says_so(refusing: Service) -> None:
    refusing.accept(item("a", params=pictured(LONG, tools=[SEARCH])))
    refusing.round()
    row = refusing.ledger.item("a")
    assert (row["state"], row["problem"]) == ("failed", "too_long")
    assert "without what it doesn't count (the tool web_search_20260318, image blocks by url)" in row["detail"]


def test_a_text_beside_an_image_by_url_is_cut_until_the_rest_fits(cutting: Service) -> None:
    cutting.accept(item("a", params=pictured(LONG), cuttable="messages.0.content.1.text"))
    cutting.round()
    stored = json.loads(cutting.ledger.asked()[1])["messages"][0]["content"]
    assert stored[0] == BY_URL
    assert 0 < len(stored[1]["text"]) < len(LONG)
    assert cutting.ledger.item("a")["state"] == "succeeded"


@pytest.mark.parametrize("said", [{"message": "a_tool_of_tomorrow isn't counted by this endpoint"}, {"status": 413}])
def test_a_refusal_to_count_that_is_no_verdict_sends_it_as_it_is(refusing: Service, said: Json) -> None:
    refusing.configure(lane={"max_input_tokens": MOST, "check_first": False})
    refusing.api.fault("count_tokens", "status", **{"status": 400, **said})
    refusing.accept(item("a", params=params(FITS)))
    refusing.round()
    assert refusing.ledger.item("a")["state"] == "succeeded"


@pytest.mark.parametrize("status", [429, 500, 529])
def test_an_api_that_does_not_answer_is_asked_again_later_and_nothing_is_sent_meanwhile(
    refusing: Service, status: int
) -> None:
    refusing.api.fault("count_tokens", "status", status=status)
    refusing.accept(*(item(f"long{n}", LONG) for n in range(3)), item("fits", FITS))
    refusing.round()
    assert refusing.ledger.states("item") == ["waiting"] * 4
    assert refusing.ledger.fetch_all("SELECT 1 FROM unmeasured WHERE not_before > now()")
    assert measure() == "0 measured"
    refusing.api.faults_are_over()
    refusing.ledger.execute("UPDATE unmeasured SET not_before = now()")
    refusing.round()
    assert refusing.ledger.states("item") == ["failed"] * 3 + ["succeeded"]


def test_a_workspace_that_gives_no_answer_keeps_no_other_from_being_measured(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "_AT_ONCE", 20)
    limits = {"max_input_tokens": MOST}
    other = {"other": {"workspace": "two", "max_wait": "0s"} | limits}
    service.configure(lane=limits, lanes=other, workspaces={"two": {"api_key_env": "TWO_KEY"}})
    monkeypatch.setenv("TWO_KEY", f"{service.api.key}two")
    service.api.fault("count_tokens", "status", status=500)
    service.accept(*(item(f"silent{n}", FITS) for n in range(60)))
    service.accept(*(item(f"other{n}", FITS) for n in range(30)), lane="other")
    measure()
    left = service.ledger.fetch_all(
        "SELECT lane.name, count(*) AS n"
        " FROM unmeasured JOIN item ON item.id = item_id JOIN lane ON lane.id = lane_id GROUP BY 1"
    )
    assert left == [{"name": "default", "n": 60}]


def test_money_holds_the_workspace(refusing: Service) -> None:
    refusing.api.fault("count_tokens", "status", status=402)
    refusing.accept(item("fits", FITS))
    refusing.round()
    assert refusing.ledger.fetch_one("SELECT held_reason FROM workspace")["held_reason"].startswith("402")
    assert refusing.ledger.states("item") == ["waiting"]


def test_the_sweep_rings_for_what_nobody_measures(refusing: Service) -> None:
    refusing.accept(item("fits", FITS))
    owner = refusing.other_process().owner()
    refusing.ledger.execute("UPDATE unmeasured SET owner = %s, lease_until = now() + interval '1 min'", owner)
    assert "overnight.measure" not in sweep()
    assert measure() == "0 measured", "another process is at it"
    refusing.ledger.execute("UPDATE unmeasured SET lease_until = now() - interval '1 s'")
    assert "overnight.measure" in sweep()
    assert measure() == "1 measured"


def test_taken_back_it_is_not_counted(refusing: Service) -> None:
    refusing.accept(item("a", LONG))
    with process.database().transaction() as connection:
        cancel(connection, refusing.ledger.item("a")["id"])
    assert measure() == "0 measured"
    held.close()
    sweep()
    assert refusing.ledger.fetch_all("SELECT 1 FROM unmeasured") == []


def test_packed_by_somebody_who_knows_no_limit_while_it_was_counted_it_stays_as_it_is(
    cutting: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    cutting.accept(item("a", LONG, cuttable=PLACE))
    other = cutting.other_process()

    def packed_meanwhile(*given: Any) -> object:
        packed(other)
        return cut(*given)

    cut: Any = measuring._shortened
    monkeypatch.setattr(measuring, "_shortened", packed_meanwhile)
    measure()
    assert len(json.loads(cutting.ledger.asked()[1])["messages"][0]["content"]) == len(LONG)
    assert cutting.ledger.fetch_all("SELECT 1 FROM unmeasured") == []


def packed(database: Database) -> None:
    with database.transaction() as connection:
        (source,) = packing.waiting(connection)
        packing.pack(connection, source, process.prices(), max_items=10, max_bytes=10_000_000)


def test_a_limit_that_was_taken_away_keeps_nobody(refusing: Service) -> None:
    refusing.accept(item("long", LONG))
    refusing.configure()
    pack()
    assert refusing.ledger.states("item") == ["batched"]
    assert measure() == "0 measured"
    submit()
    poll()
    collect()
    assert refusing.ledger.states("item") == ["succeeded"]


def test_with_priming_nobody_unmeasured_goes_ahead(service: Service) -> None:
    service.configure(lane={"max_input_tokens": MOST, "prime": True})
    prefix = Prefix.of({"system": "You know kettles. " * 200})
    named = {"prefix": put_prefix(service, prefix)}
    service.accept(
        item("long", params=params(LONG), **named),
        *(item(f"i{n}", params=params(SHORT + str(n)), **named) for n in range(5)),
    )
    pack()
    assert service.ledger.states("batch") == []
    service.finish()
    assert service.ledger.states("item") == ["failed"] + ["succeeded"] * 5


def test_the_tally_keeps_count_of_the_bytes(cutting: Service) -> None:
    cutting.accept(item("a", LONG, cuttable=PLACE))
    measure()
    tally = cutting.ledger.fetch_one(
        "SELECT sum(n)::int AS n, sum(bytes)::int AS bytes FROM tally WHERE state = 'waiting'"
    )
    assert (tally["n"], tally["bytes"]) == (1, cutting.ledger.item("a")["size"])


def test_the_same_item_again_is_known_though_it_was_cut(cutting: Service) -> None:
    wire_item = item("a", LONG, cuttable=PLACE)
    cutting.accept(wire_item)
    measure()
    assert cutting.accept(wire_item)["known"] == 1
