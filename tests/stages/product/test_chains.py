"""A chain of steps: an answer calls a tool, its callback enqueues the next step, all of one trace."""

from __future__ import annotations

import orjson

from overnight_models.wire.outcome import Outcome
from overnight_producers import follow_up
from overnight_workers.stages.deliver.deliver import deliver
from tests.driving import Service, callback, item, params


def delivered(service: Service) -> Outcome:
    """The newest outcome in the product's queue."""
    deliver()
    arguments, _, _ = orjson.loads(service.queue()[0]["body"])
    return Outcome.read(arguments[0])


def test_a_tools_result_goes_with_the_next_step_and_a_callback_that_comes_twice_enqueues_it_once(
    service: Service,
) -> None:
    tools = [{"name": "stock", "description": "How many are left", "input_schema": {"type": "object"}}]
    asked = params("How many kettles are left?", fault="tool_call", tools=tools)
    service.accept(item("chat:0", params=asked, trace_id="chat", callback=callback()))
    service.round()
    first = delivered(service)
    (call,) = first.tool_calls
    after = follow_up(first, asked, results={str(call["id"]): {"left": 12}}, most_steps=4)
    del after["metadata"]
    step = item("chat:1", params=after, trace_id=first.trace_id, callback=callback())
    assert service.accept(step)["accepted"] == 1
    again = service.accept(item("chat:1", params=after, trace_id=first.trace_id, callback=callback()))
    assert (again["accepted"], again["known"]) == (0, 1)
    service.round()
    second = delivered(service)
    assert (second.key, second.ok, second.trace_id) == ("chat:1", True, "chat")
    assert service.ledger.item("chat:1")["attempts"] == 1
