"""A lane with a list of models: the prompt's size chooses the model, on both roads; a stronger one is asked once."""

from __future__ import annotations

import orjson
import pytest

from overnight_models.ledger import answer
from overnight_models.ledger.documents import document
from overnight_models.money.prices import Usage, both_costs, load
from overnight_models.request.prefix import Prefix
from overnight_producers import Outcome
from overnight_workers import process
from overnight_workers.cli import app
from overnight_workers.sizes import rates
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.measure.measure import measure
from overnight_workers.stages.pack.pack import pack
from tests.driving import Service, callback, item, put_prefix, read_command, text_of
from tests.service.ledger import Json

HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5", "claude-opus-5-5"
MOST = 2_000
"""Tokens; the sandbox has one for every four bytes of text."""
MODELS = [{"model": HAIKU, "up_to_tokens": MOST}, {"model": SONNET}]
ROADS = ("batch", "direct")


def by_size(service: Service, **lane: object) -> None:
    service.configure(lane={"models": MODELS, "check_first": False, **lane})


def asked(key: str, length: int = 0, *, fault: str | None = None, **more: object) -> Json:
    """An item that names no model. length: of its text, in bytes."""
    text = f"{text_of(key)} ".ljust(length, "x")
    params_: Json = {"max_tokens": 256, "messages": [{"role": "user", "content": text}], **more}
    return item(
        key, params=params_ | ({"metadata": {"user_id": f"sandbox:{fault}"}} if fault else {}), callback=callback()
    )


def counts(service: Service) -> int:
    return sum(service.api.calls("count_tokens").values())


def outcome(service: Service, key: str) -> Outcome:
    """Of the newest item of that key."""
    row = service.ledger.fetch_one("SELECT max(item_id) AS id FROM request WHERE key = %s", key)
    with process.database().transaction() as connection:
        answered = answer.read_item(connection, row["id"])
    assert answered is not None
    return Outcome.read(orjson.loads(orjson.dumps(document(answered))))


@pytest.mark.parametrize("road", ROADS)
def test_short_prompts_go_to_the_small_model_and_long_ones_to_the_strong_one(service: Service, road: str) -> None:
    by_size(service, road=road)
    before = counts(service)
    service.accept(asked("short"), asked("long", 40 * MOST))
    service.round()
    short, long = outcome(service, "short"), outcome(service, "long")
    assert (short.model, long.model) == (HAIKU, SONNET)
    assert short.model_why is not None
    assert f"{HAIKU} takes up to {MOST:,}" in short.model_why
    assert f"{SONNET} takes more than {MOST:,}" in str(long.model_why)
    assert counts(service) == before, "bytes say enough"
    for answered in (short, long):
        usage = Usage.of(answered.usage)
        batched, realtime = both_costs(load().models[str(answered.model)], usage)
        assert answered.cost_usd is not None
        assert int(answered.cost_usd.scaleb(9)) == (batched if road == "batch" else realtime)
    assert (
        service.ledger.fetch_one("SELECT sum(cost_nano)::bigint AS nano FROM bill")["nano"]
        == service.api.meter()["nano"]
    )


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize(("length", "model"), [(3.9, HAIKU), (4.2, SONNET)])
def test_near_the_limit_the_api_counts_before_anything_is_sent(
    service: Service, road: str, length: float, model: str
) -> None:
    by_size(service, road=road)
    before = counts(service)
    service.accept(asked("near", int(length * MOST)))
    pack()
    assert service.ledger.states("item") == ["waiting"], "nobody has counted it yet"
    service.round()
    answered = outcome(service, "near")
    assert (answered.ok, answered.model) == (True, model)
    assert "tokens, as the API counts them" in str(answered.model_why)
    assert counts(service) == before + 1
    sent = service.ledger.fetch_one(
        "SELECT params, size, name FROM item JOIN request ON item_id = item.id JOIN model ON model.id = model_id"
    )
    assert (orjson.loads(sent["params"])["model"], sent["name"], sent["size"]) == (model, model, len(sent["params"]))


def test_what_was_learned_of_the_lane_makes_counting_rare(service: Service) -> None:
    by_size(service)
    service.accept(*(asked(f"i{n}", 1_000 + 10 * n) for n in range(25)))
    service.round()
    rates.forget()
    before = counts(service)
    service.accept(asked("small", int(3 * MOST)), asked("large", int(5 * MOST)))
    service.round()
    assert (outcome(service, "small").model, outcome(service, "large").model) == (HAIKU, SONNET)
    assert counts(service) == before


def test_an_item_that_names_its_model_keeps_it(service: Service) -> None:
    by_size(service, escalate=True)
    named = asked("named", 100, model=OPUS, fault="cut_off")
    service.accept(named)
    service.finish()
    answered = outcome(service, "named")
    assert (answered.model, answered.model_why, answered.problem, answered.attempts) == (OPUS, None, "cut_off", 1)


def test_elsewhere_an_item_has_to_name_its_model(service: Service) -> None:
    (rejected,) = service.accept(asked("a"))["rejected"]
    assert "`model` is missing" in rejected["why"]


def test_the_same_key_is_the_same_item_whatever_is_chosen_now(service: Service) -> None:
    by_size(service)
    wire_item = asked("a", 100)
    service.accept(wire_item)
    service.configure(lane={"models": [{"model": HAIKU, "up_to_tokens": 1}, {"model": SONNET}]})
    reordered = wire_item["params"] | {"messages": wire_item["params"]["messages"]}
    reordered = dict(reversed(reordered.items()))
    for params in (wire_item["params"], reordered):
        verdict = service.accept(wire_item | {"params": params})
        assert (verdict["accepted"], verdict["known"]) == (0, 1)
    verdict = service.accept(wire_item | {"params": wire_item["params"] | {"model": HAIKU}})
    assert "other content" in verdict["rejected"][0]["why"], "that one names its model"


def test_a_shared_prefix_stays_one_for_both_models(service: Service) -> None:
    by_size(service)
    system = "Answer briefly. " * 200
    name = put_prefix(service, Prefix.of({"system": system}))
    near = {"max_tokens": 256, "messages": [{"role": "user", "content": "x" * int(4.1 * MOST - len(system))}]}
    short = {"max_tokens": 256, "messages": [{"role": "user", "content": "short"}]}
    service.accept(item("near", params=near, prefix=name), item("short", params=short, prefix=name))
    service.round()
    assert (outcome(service, "near").model, outcome(service, "short").model) == (SONNET, HAIKU)
    assert service.ledger.fetch_one("SELECT count(*) AS n FROM prefix")["n"] == 1
    (batch,) = service.ledger.fetch_all("SELECT api_id FROM submission")
    sent = [request["params"] for request in service.api.body_at_the_api(batch["api_id"])["requests"]]
    assert {request["model"] for request in sent} == {HAIKU, SONNET}
    assert all(request["system"] == system for request in sent)


def test_a_budget_reserves_by_the_model_that_was_chosen(service: Service) -> None:
    by_size(service)
    read_command(app, "budget", "--lane", "default", "--day", "100", "--strict")
    service.accept(asked("near", int(4.1 * MOST)), asked("short"))
    measure()
    pack()
    rows = service.ledger.fetch_all(
        "SELECT size, max_tokens, reserved_nano, name FROM item JOIN model ON model.id = model_id ORDER BY item.id"
    )
    assert [row["name"] for row in rows] == [SONNET, HAIKU]
    for row in rows:
        known = load().models[row["name"]].rates
        least = (row["size"] * known.input + row["max_tokens"] * known.output) // 2
        assert least <= row["reserved_nano"] <= 5 * least


def test_both_limits_of_a_lane_hold_a_text_is_cut_for_the_model_that_was_chosen(service: Service) -> None:
    by_size(service, max_input_tokens=3 * MOST, when_longer="cut")
    long = asked("long", 20 * MOST)
    service.accept(long | {"cuttable": "messages.0.content"})
    service.round()
    answered = outcome(service, "long")
    assert (answered.ok, answered.model) == (True, SONNET)
    assert answered.cut is not None


def test_the_api_does_not_count_so_the_strong_model_answers(service: Service) -> None:
    by_size(service)
    service.api.fault("count_tokens", "status", status=400, type="invalid_request_error")
    service.accept(asked("near", int(3.9 * MOST)))
    service.round()
    answered = outcome(service, "near")
    assert answered.model == SONNET
    assert "the API doesn't count it" in str(answered.model_why)


def test_a_lane_that_has_lost_its_list_sends_what_waits_as_it_is(service: Service) -> None:
    by_size(service)
    service.accept(asked("near", int(3.9 * MOST)))
    service.configure(lane={"check_first": False})
    service.round()
    assert outcome(service, "near").model == SONNET


def test_the_command_says_the_model_and_why(service: Service) -> None:
    by_size(service)
    service.accept(asked("short"))
    service.round()
    page = read_command(app, "items", "short")
    assert HAIKU in page
    assert "takes up to 2,000" in " ".join(page.split())
    row = orjson.loads(read_command(app, "items", "short", "--json"))
    assert row["model_why"] == outcome(service, "short").model_why


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("fault", ["cut_off", "invalid_output"])
def test_an_answer_of_no_use_is_asked_of_the_next_model_up_once(service: Service, road: str, fault: str) -> None:
    models = [{"model": HAIKU, "up_to_tokens": 1_000}, {"model": SONNET, "up_to_tokens": 9_000}, {"model": OPUS}]
    service.configure(lane={"models": models, "escalate": True, "road": road})
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    }
    service.accept(asked("a", fault=fault, output_config={"format": {"type": "json_schema", "schema": schema}}))
    service.finish()
    assert service.ledger.states("item") == ["redone", "failed"], "twice, and not a third time"
    answered = outcome(service, "a")
    assert (answered.problem, answered.model, answered.attempts) == (fault, SONNET, 2)
    assert str(answered.model_why).startswith(f"the answer of {HAIKU} ")
    assert answered.earlier_cost_usd
    deliver()
    (delivered,) = (Outcome.read(orjson.loads(message["body"])[0][0]) for message in service.queue())
    assert (delivered.model, delivered.model_why) == (SONNET, answered.model_why)
    assert (
        service.ledger.fetch_one("SELECT sum(cost_nano)::bigint AS nano FROM bill")["nano"]
        == service.api.meter()["nano"]
    )


def test_asked_of_the_next_model_up_it_is_checked_before_it_is_paid_for_where_its_lane_checks(service: Service) -> None:
    by_size(service, escalate=True, check_first=True)
    prefix = Prefix.of({"tools": [{"name": "f", "input_schema": {"type": "object"}}], "system": "Be brief. " * 200})
    hash_ = put_prefix(service, prefix)
    service.accept(asked("a", fault="cut_off"), asked("b", fault="cut_off") | {"prefix": hash_})
    service.round()
    assert service.ledger.states("item") == ["redone", "redone", "waiting", "waiting"]
    before = counts(service)
    named = [asked("c", model=SONNET), asked("d", model=SONNET) | {"prefix": hash_}]
    service.accept(*named)
    shapes = service.ledger.fetch_all(
        "SELECT key, shape_id, passed_at FROM item JOIN request ON item_id = item.id JOIN shape ON shape.id = shape_id"
        " WHERE state = 'waiting' ORDER BY key"
    )
    assert [row["shape_id"] for row in shapes[:2]] == [row["shape_id"] for row in shapes[2:]], "as if it had named it"
    assert {row["passed_at"] for row in shapes} == {None}
    service.round()
    assert counts(service) > before


def test_corrections_come_first_and_then_the_stronger_model(service: Service) -> None:
    by_size(service, escalate=True, retry_invalid=1)
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    }
    config = {"format": {"type": "json_schema", "schema": schema}}
    service.accept(asked("a", fault="invalid_output", output_config=config))
    service.finish()
    tried = service.ledger.fetch_all(
        "SELECT name, length(params) AS size FROM item JOIN request ON item_id = item.id"
        " JOIN model ON model.id = model_id ORDER BY item.id"
    )
    assert [row["name"] for row in tried] == [HAIKU, HAIKU, SONNET]
    assert tried[0]["size"] < tried[1]["size"]


def test_the_strongest_model_is_the_last_and_what_was_paused_goes_on_by_itself(service: Service) -> None:
    by_size(service, escalate=True)
    service.accept(asked("long", 30 * MOST, fault="cut_off"))
    service.finish()
    assert service.ledger.states("item") == ["failed"]
