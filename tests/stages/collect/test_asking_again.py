"""retry_invalid: an answer that isn't of its schema is asked for again, with the error; each try is paid and shown."""

from __future__ import annotations

import orjson
import pytest

from overnight_models.request.correction import corrected
from overnight_producers import Outcome
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item, params
from tests.service.ledger import Json

SCHEMA: Json = {
    "type": "object",
    "properties": {"title": {"type": "string"}},
    "required": ["title"],
    "additionalProperties": False,
}


def asked(key: str, *, fault: str | None = "invalid_output") -> Json:
    config = {"format": {"type": "json_schema", "schema": SCHEMA}}
    return item(key, params=params(f"Describe {key}", fault=fault, output_config=config), callback=callback())


def mended(service: Service) -> None:
    """The next answers are of the schema."""
    service.ledger.execute("UPDATE request SET params = replace(params, 'sandbox:invalid_output', 'nobody')")


def outcomes_in(service: Service) -> list[Outcome]:
    return [Outcome.read(orjson.loads(message["body"])[0][0]) for message in reversed(service.queue())]


def test_the_error_is_in_the_prompt_and_only_the_last_outcome_is_delivered(service: Service) -> None:
    service.configure(lane={"retry_invalid": 2})
    service.accept(asked("a"), run="r")
    service.round()
    assert service.ledger.states("item") == ["redone", "waiting"]
    deliver()
    assert outcomes_in(service) == []
    mended(service)
    service.finish()
    assert service.ledger.states("item") == ["redone", "succeeded"]
    (outcome,) = outcomes_in(service)
    assert (outcome.ok, outcome.key, outcome.attempts) == (True, "a", 2)
    api_id = service.ledger.fetch_one(
        "SELECT api_id AS id FROM outcome JOIN submission ON submission.id = submission_id WHERE ok"
    )["id"]
    (request,) = service.api.body_at_the_api(api_id)["requests"]
    first, answer, correction = request["params"]["messages"]
    assert (first["role"], answer["role"], correction["role"]) == ("user", "assistant", "user")
    before = service.ledger.fetch_one("SELECT detail, cost_nano FROM outcome WHERE NOT ok")
    assert before["detail"] in correction["content"]
    assert outcome.earlier_cost_usd is not None
    assert int(outcome.earlier_cost_usd.scaleb(9)) == before["cost_nano"] > 0
    assert (
        sum(row["cost_nano"] for row in service.ledger.fetch_all("SELECT cost_nano FROM bill"))
        == service.api.meter()["nano"]
    )


@pytest.mark.parametrize(("times", "tries"), [(0, 1), (1, 2), (3, 4)])
def test_so_often_and_then_it_fails_as_it_is(service: Service, times: int, tries: int) -> None:
    service.configure(lane={"retry_invalid": times})
    service.accept(asked("a"))
    service.finish()
    assert service.ledger.states("item") == ["redone"] * (tries - 1) + ["failed"]
    (outcome,) = outcomes_in(service)
    assert (outcome.problem, outcome.attempts) == ("invalid_output", tries)
    assert service.api.meter()["billed"] == tries


def test_what_its_owner_took_back_is_not_asked_again(service: Service) -> None:
    service.configure(lane={"retry_invalid": 1})
    service.accept(asked("a"))
    pack()
    submit()
    service.ledger.execute("UPDATE item SET cancel_wanted = true")
    service.finish()
    assert service.ledger.states("item") == ["failed"]


def test_with_a_prompt_that_may_get_longer_than_the_lane_takes_it_is_not_asked_again(service: Service) -> None:
    service.configure(lane={"retry_invalid": 1, "max_input_tokens": 2_400})
    service.accept(asked("a"))
    service.finish()
    assert service.ledger.states("item") == ["failed"]


def test_its_key_stays_the_same_item(service: Service) -> None:
    service.configure(lane={"retry_invalid": 1})
    service.accept(asked("a"))
    service.round()
    assert service.accept(asked("a"))["known"] == 1


def test_those_that_follow_get_the_last_outcome(service: Service) -> None:
    service.configure(lane={"retry_invalid": 1})
    service.accept(asked("a"))
    service.accept(asked("a") | {"callback": callback("crm"), "if_known": "deliver"})
    service.round()
    mended(service)
    service.finish()
    assert sorted(service.ledger.states("item")) == ["redone", "succeeded", "succeeded"]
    assert [len(service.queue(queue)) for queue in ("shop", "crm")] == [1, 1]


def test_integers_of_any_size_stay_what_they_are() -> None:
    written = corrected('{"n":123456789012345678901,"messages":[{"role":"user","content":"x"}]}', "no", "why")
    assert written is not None
    assert "123456789012345678901" in written


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        ("{}", "x"),
        ('{"messages":[]}', "x"),
        ('{"messages":[{"role":"assistant","content":"{"}]}', "x"),
        ('{"messages":[{"role":"user","content":"x"}]}', "\ud800"),
    ],
)
def test_what_can_not_go_on_is_not_asked_again(request_: str, answer: str) -> None:
    assert corrected(request_, answer, "why") is None
