"""The next step of a chain: the answer as it came, a result for each of its calls, and an end."""

from __future__ import annotations

from typing import Any

import pytest

from overnight_models.errors import BadItem
from overnight_producers import Outcome, follow_up

ASKED: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 500,
    "tools": [{"name": "stock", "input_schema": {"type": "object"}}],
    "messages": [{"role": "user", "content": "How many kettles?"}],
}
THOUGHT = {"type": "thinking", "thinking": "I look it up.", "signature": "c2ln"}
CALLS = [{"type": "tool_use", "id": f"toolu_{n}", "name": "stock", "input": {"sku": f"A{n}"}} for n in (1, 2)]


def answered(*content: dict[str, Any], stop: str = "tool_use") -> Outcome:
    message = {"content": list(content), "stop_reason": stop}
    return Outcome(item_id="i", key="k", lane="default", ok=True, message=message)


def test_the_answer_stays_as_it_came_with_its_thinking_and_each_call_gets_its_result_in_its_order() -> None:
    made = follow_up(answered(THOUGHT, *CALLS), ASKED, results={"toolu_2": {"left": 0}, "toolu_1": "12 left"})
    assert made["messages"][1] == {"role": "assistant", "content": [THOUGHT, *CALLS]}
    assert made["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12 left"},
        {"type": "tool_result", "tool_use_id": "toolu_2", "content": '{"left":0}'},
    ]
    assert {name: value for name, value in made.items() if name != "messages"} == {
        name: value for name, value in ASKED.items() if name != "messages"
    }
    assert len(ASKED["messages"]) == 1


def test_blocks_of_ones_own_pass_through_and_a_text_comes_after_them() -> None:
    failed = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "no stock", "is_error": True}
    made = follow_up(answered(CALLS[0]), ASKED, results=[failed], text="Be brief.")
    assert made["messages"][2]["content"] == [failed, {"type": "text", "text": "Be brief."}]


def test_a_paused_answer_goes_on_from_itself() -> None:
    made = follow_up(answered({"type": "text", "text": "So far"}, stop="pause_turn"), ASKED)
    assert [turn["role"] for turn in made["messages"]] == ["user", "assistant"]


@pytest.mark.parametrize(
    ("outcome", "results", "says"),
    [
        (answered(*CALLS), {"toolu_1": "1"}, "toolu_2 has no result"),
        (answered(CALLS[0]), {"toolu_1": "1", "toolu_9": "9"}, "toolu_9, and no such tool call"),
        (answered({"type": "text", "text": "Done"}, stop="end_turn"), None, "nothing comes after"),
        (Outcome(item_id="i", key="k", lane="default", ok=False, problem="expired"), None, "no answer to go on from"),
    ],
)
def test_what_the_api_would_refuse_is_refused_before_it_is_sent(outcome: Outcome, results: Any, says: str) -> None:
    with pytest.raises(BadItem, match=says):
        follow_up(outcome, ASKED, results=results)


def test_a_chain_ends() -> None:
    asked = ASKED
    for _ in range(3):
        asked = follow_up(answered(CALLS[0]), asked, results={"toolu_1": "again"}, most_steps=3)
    with pytest.raises(BadItem, match="3 answers already"):
        follow_up(answered(CALLS[0]), asked, results={"toolu_1": "again"}, most_steps=3)
