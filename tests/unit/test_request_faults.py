"""Each rule about a request: what breaks it is told, with what to do; what keeps it is let through."""

from __future__ import annotations

from typing import Any

import pytest

from overnight_models.request.request import faults

GOOD: dict[str, Any] = {
    "model": "claude-haiku-5-5",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "Hello"}],
}
MODELS = ("claude-haiku-5-5", "claude-sonnet-5-5")


def told(version: str = "2026-10-21", /, **more: Any) -> list[str]:
    return faults(GOOD | more, models=MODELS, api_version=version)


def told_without(name: str) -> list[str]:
    left = {key: value for key, value in GOOD.items() if key != name}
    return faults(left, models=MODELS, api_version="2026-10-21")


def test_a_good_request_has_no_fault() -> None:
    assert told() == []
    assert told(tools=[{"name": "t"}], thinking={"type": "adaptive"}, system="Be brief", stream=False) == []


@pytest.mark.parametrize("bad", [None, [], "x", 3])
def test_params_that_are_no_dict(bad: object) -> None:
    (fault,) = faults(bad, models=MODELS, api_version="2026-10-21")
    assert "must be a dict" in fault


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stream", True), ("speed", "fast"), ("fallbacks", [{"model": "x"}]), ("store", True),
        ("previous_thread_event_id", "e"), ("cache_hint", {}), ("context_hint", {}), ("betas", ["b"]),
        ("extra_headers", {"a": "b"}), ("extra_body", {"a": 1}), ("timeout", 5),
    ],
)  # fmt: skip
def test_what_batches_refuse_is_told_with_what_to_do(name: str, value: object) -> None:
    (fault,) = told(**{name: value})
    assert f"`{name}`" in fault
    assert "leave" in fault or "pass" in fault or "put" in fault


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_sampling_is_refused_by_the_newest_api_version_only(name: str) -> None:
    (fault,) = told(**{name: 1})
    assert f"`{name}`" in fault
    assert "2023-06-01" in fault
    assert told("2023-06-01", **{name: 1}) == []


def test_an_unknown_model_comes_with_the_nearest() -> None:
    (fault,) = told(model="claude-haiku-5.5")
    assert fault == "unknown model 'claude-haiku-5.5': did you mean claude-haiku-5-5 or claude-sonnet-5-5?"
    (fault,) = told(model="gpt")
    assert fault.endswith("known are claude-haiku-5-5, claude-sonnet-5-5")


@pytest.mark.parametrize("bad", [None, "", 3, ["claude"]])
def test_a_model_that_is_no_name(bad: object) -> None:
    (fault,) = told(model=bad)
    assert fault.startswith("`model` is missing")


def test_any_model_will_do_where_they_are_not_known() -> None:
    assert faults(GOOD | {"model": "new"}, models=None, api_version="2026-10-21") == []


def test_max_tokens_must_be_there() -> None:
    (fault,) = told_without("max_tokens")
    assert fault.startswith("`max_tokens` is missing")


@pytest.mark.parametrize("bad", [0, -1, "10", 1.5, None, True, 1_000_001, 2**40])
def test_max_tokens_must_be_a_whole_number_that_some_model_answers(bad: object) -> None:
    (fault,) = told(max_tokens=bad)
    assert "whole number from 1 to 1,000,000" in fault
    assert repr(bad) in fault


@pytest.mark.parametrize("bad", [None, [], "Hello", {}])
def test_messages_must_be_there(bad: object) -> None:
    (fault,) = told(messages=bad)
    assert fault.startswith("`messages` is missing or empty")


def test_a_bad_message_is_told_by_its_position() -> None:
    (fault,) = told(messages=[{"role": "user", "content": "a"}, {"role": "user"}])
    assert fault.startswith("`messages[1]`")


def test_every_fault_is_told_at_once() -> None:
    assert len(told(model=None, stream=True, temperature=1, max_tokens=0, messages=[])) == 5


@pytest.mark.parametrize(
    ("slip", "near"),
    [
        ("max_token", "max_tokens"), ("mesages", "messages"), ("stop_sequence", "stop_sequences"), ("tool", "tools"),
        ("temprature", "temperature"), ("output_confg", "output_config"),
    ],
)  # fmt: skip
def test_an_unknown_parameter_that_is_nearly_a_known_one_is_refused(slip: str, near: str) -> None:
    assert told(**{slip: 1}) == [f"unknown parameter `{slip}`: did you mean `{near}`?"]


@pytest.mark.parametrize("new", ["memory", "verbosity", "top_logprobs", "safety_settings"])
def test_other_unknown_parameters_are_sent_since_the_api_may_take_them_tomorrow(new: str) -> None:
    assert told(**{new: 1}) == []


def test_an_unknown_role_is_told_with_the_nearest() -> None:
    assert told(messages=[{"role": "asistant", "content": "a"}]) == [
        "`messages[0]` has the unknown role 'asistant': did you mean 'assistant'?"
    ]
    assert told(messages=[{"role": "tool", "content": "a"}])[0].endswith("known are user, assistant, system")
    assert told(messages=[{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "is empty"), (" \n", "is empty"), ([], "has no content"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": " "}], "has an empty text in `content[1]`"),
    ],
)  # fmt: skip
def test_empty_content_is_told_by_its_place(content: object, why: str) -> None:
    (fault,) = told(messages=[{"role": "user", "content": content}])
    assert fault.startswith(f"`messages[0]` {why}")


def test_an_answer_that_is_begun_may_be_empty_only_at_the_end() -> None:
    begun = {"role": "assistant", "content": ""}
    assert told(messages=[{"role": "user", "content": "a"}, begun]) == []
    assert len(told(messages=[{"role": "user", "content": "a"}, begun, {"role": "user", "content": "b"}])) == 1


def test_thinking_has_fewer_tokens_than_the_answer_unless_interleaved() -> None:
    asked = {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 2048}
    assert told(**asked) == [
        "`thinking.budget_tokens` (2,048) must be below `max_tokens` (2,048), which it is a part of"
    ]
    assert told(**asked | {"max_tokens": 2049}) == []
    betas = ["interleaved-thinking-2025-05-14"]
    assert faults(GOOD | asked, models=MODELS, api_version="2026-10-21", betas=betas) == []
