"""The chain of the producers' page, as it stands there: its callback runs a tool and enqueues the next step, direct."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from overnight_models.ledger.money import chains
from overnight_models.request.worst_case import ADDED_TOKENS, worst_rates
from overnight_workers import process
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.direct.direct import direct
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.rescue import sweep
from tests.driving import MODEL, Service, callback, item, params
from tests.stages.product.conftest import take_in

README = Path(__file__).parents[3] / "producers" / "README.md"
FOREVER = {"tool_choice": {"type": "any"}}
"""A model that is made to call a tool each time."""


class Agent(NamedTuple):
    """The product's module, and how the service beside it is driven."""

    service: Service
    module: dict[str, Any]

    def ask(self, trace_id: str, **more: object) -> int:
        """The chain runs to its end. Returns how many callbacks came."""
        self.module["ask"](trace_id, f"How many kettles are left for {trace_id}?", **more)
        return self.go_on()

    def go_on(self) -> int:
        callbacks = 0
        for _ in range(40):
            take_in(self.service)
            direct()
            sweep()
            deliver()
            messages = self.service.queue("agent")
            if not messages:
                return callbacks
            self.service.empty("agent")
            for message in reversed(messages):
                arguments, named, _ = orjson.loads(message["body"])
                self.module["step"](*arguments, **named)
                callbacks += 1
        raise AssertionError("the chain doesn't end")


@cache
def module_of_the_page() -> dict[str, Any]:
    """The example, run; once, since Celery knows a task's name for as long as its process lives."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (code,) = (block for block in blocks if "follow_up" in block)
    module: dict[str, Any] = {"__name__": "agent"}
    exec(code, module)
    return module


def agent(service: Service, monkeypatch: pytest.MonkeyPatch, **lane: object) -> Agent:
    monkeypatch.setenv("OVERNIGHT_REDIS_URL", service.redis_url)
    service.configure(lanes={"chat": {"road": "direct", "max_cost_per_trace": 0.5, **lane}})
    return Agent(service, module_of_the_page())


def booked(service: Service) -> tuple[int, int]:
    """What is reserved and spent of all chains."""
    row = service.ledger.fetch_one(
        "SELECT coalesce(sum(reserved_nano), 0)::bigint AS reserved, coalesce(sum(spent_nano), 0)::bigint AS spent"
        " FROM booking"
    )
    return row["reserved"], row["spent"]


def most(service: Service, *keys: str, batch: bool) -> int:
    """The most that these may cost together."""
    model = process.prices().model(MODEL)
    assert model is not None
    rate = worst_rates(model, batch=batch)[0]
    rows = [service.ledger.item(key) for key in keys]
    return sum((row["size"] + ADDED_TOKENS) * rate.input_nano + row["max_tokens"] * rate.output_nano for row in rows)


def test_an_answer_without_a_call_ends_the_chain(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = agent(service, monkeypatch)
    assert chain.ask("shop-1") == 1
    assert "Made-up sandbox answer" in capsys.readouterr().out
    assert booked(service) == (0, service.api.meter()["nano"])


def test_a_model_that_calls_for_ever_is_ended_by_the_bound_of_the_loop(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chain = agent(service, monkeypatch)
    assert chain.ask("shop-2", **FOREVER) == 9
    assert "shop-2 ends here: " in (said := capsys.readouterr().out)
    assert "8 answers already" in said
    assert service.ledger.states("item") == ["succeeded"] * 9
    assert booked(service) == (0, service.api.meter()["nano"])


def test_a_chain_ends_when_what_its_trace_may_cost_is_spent_and_its_callback_says_so(
    service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cap = 1_100_000
    chain = agent(service, monkeypatch, max_cost_per_trace=f"{cap / 1e9:f}")
    steps = chain.ask("shop-3", **FOREVER)
    assert 2 <= steps < 9
    assert re.search(
        r"shop-3:\d: over_budget: all items of its trace may cost \$0.0011 together", capsys.readouterr().out
    )
    assert service.ledger.states("item") == [*["succeeded"] * (steps - 1), "failed"]
    reserved, spent = booked(service)
    assert (reserved, spent) == (0, service.api.meter()["nano"])
    assert spent <= cap
    failed = service.ledger.item(f"shop-3:{steps}")
    assert failed["cost_nano"] == 0
    assert service.ledger.fetch_one("SELECT via FROM outcome WHERE NOT ok")["via"] == "direct"
    assert chain.ask("shop-4") == 1, "another trace has a budget of its own"


def test_items_of_a_trace_wait_for_those_under_way_and_go_when_there_is_room_after_all(service: Service) -> None:
    lane = {"road": "direct", "max_cost_per_trace": 1}
    service.configure(lane=lane)
    service.accept(*(item(key, trace_id="t", callback=callback()) for key in "ab"))
    cap = most(service, "a", "b", batch=False) - 1
    service.configure(lane=lane | {"max_cost_per_trace": f"{cap / 1e9:f}"})
    direct()
    assert sorted(service.ledger.states("item")) == ["held", "succeeded"]
    sweep()
    direct()
    assert service.ledger.states("item") == ["succeeded"] * 2
    assert booked(service) == (0, service.api.meter()["nano"])


def test_in_a_batch_it_is_reserved_and_what_has_no_room_beside_what_is_spent_fails(service: Service) -> None:
    service.configure(lane={"max_cost_per_trace": 1})
    service.accept(item("a", trace_id="t"), item("o", trace_id="u"), item("w"))
    cap = most(service, "a", batch=True)
    service.configure(lane={"max_cost_per_trace": f"{cap / 1e9:f}"})
    pack()
    assert booked(service)[0] == most(service, "a", "o", batch=True)
    service.round()
    assert booked(service)[0] == 0
    assert service.ledger.states("item") == ["succeeded"] * 3
    service.accept(item("b", trace_id="t", callback=callback()))
    pack()
    assert service.ledger.item("b")["state"] == "held"
    with process.database().transaction() as connection:
        (spent,) = chains.spent(connection, limit=10)
    assert "max_cost_per_trace" in spent.why
    sweep()
    row = service.ledger.item("b")
    assert (row["state"], row["problem"], row["cost_nano"]) == ("failed", "over_budget", 0)
    assert set(service.ledger.states("delivery")) == {"due"}


def test_raised_the_cap_lets_a_redo_of_what_it_ended_go(service: Service) -> None:
    service.configure(lane={"road": "direct", "max_cost_per_trace": "0.000001"})
    service.accept(item("a", trace_id="t"))
    direct()
    sweep()
    assert service.ledger.item("a")["problem"] == "over_budget"
    service.configure(lane={"road": "direct", "max_cost_per_trace": 1})
    redone = item("a", trace_id="t", params=params("Another"), if_known="redo")
    assert service.accept(redone)["redone"] == 1
    direct()
    assert service.ledger.states("item") == ["redone", "succeeded"]
