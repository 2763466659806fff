"""Shared beginnings are found by content, nested ones too, in bounded memory; and a prompt can be cut off after one."""

from __future__ import annotations

import tracemalloc
from typing import Any

from overnight_models.request.prompt import counted, head, nothing, pieces
from overnight_workers.plan.prefixes import Prefixes, Shared
from overnight_workers.sandbox.answers.weights import prompt_tokens

MODEL = "claude-sonnet-5"
RULES, CONTRACT = "Answer in one word. " * 100, "The parties agree. " * 200
TOOLS = [{"name": "look", "description": "Looks. " * 200, "input_schema": {"type": "object"}}]


def asking(question: str, *before: Any, **more: Any) -> dict[str, Any]:
    content = [*before, {"type": "text", "text": question}] if before else question
    return {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": content}], **more}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


def shared(*prompts: dict[str, Any], remembered: int = 1_000) -> tuple[Shared, ...]:
    prefixes = Prefixes(remembered)
    for offset, params in enumerate(prompts):
        prefixes.add(params["model"], None, pieces(params), offset)
    return prefixes.shared()


def test_what_all_have_in_common_is_one_prefix() -> None:
    prompts = [asking(f"Question {n}?", system=RULES, tools=TOOLS) for n in range(20)]
    (segments,) = shared(*prompts)
    assert (segments.items, segments.pieces, segments.parent, segments.mark) == (20, 2, None, None)
    assert segments.size > len(RULES)


def test_nested_prefixes_know_their_parents() -> None:
    prompts = [
        asking(f"Question {n}?", text(f"Contract {contract}. {CONTRACT}"), system=RULES)
        for contract in range(3)
        for n in range(5)
    ]
    segments = shared(*prompts)
    (whole,) = [segment for segment in segments if segment.items == 15]
    assert (whole.pieces, whole.size) == (1, len(RULES))
    contracts = [segment for segment in segments if segment.items == 5]
    assert [(contract.pieces, segments[contract.parent or 0]) for contract in contracts] == [(2, whole)] * 3
    assert len(segments) == 4


def test_models_and_places_share_nothing() -> None:
    assert shared(asking("a", system=RULES), asking("b", system=RULES) | {"model": "claude-opus-5"}) == ()
    assert shared(asking("a", system=RULES), asking("a", text(RULES))) == ()
    # a string stands for its block
    assert len(shared(asking("a", system=RULES), asking("b", system=[text(RULES)]))) == 1


def test_short_or_single_beginnings_are_none() -> None:
    assert shared(asking("a", system="Be brief."), asking("b", system="Be brief.")) == ()
    assert shared(asking("a", system=RULES)) == ()


def test_a_shared_image_is_a_prefix() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 50_000}}
    (segments,) = shared(asking("What is it?", image), asking("Where is it?", image))
    assert (segments.media, segments.size) == (True, 0)


def test_the_callers_own_marks_are_kept() -> None:
    marked = text(CONTRACT, cache_control={"type": "ephemeral", "ttl": "1h"})
    (segments,) = shared(*(asking(f"{n}?", marked, system=RULES) for n in range(3)))
    assert (segments.pieces, segments.mark) == (2, "1h")
    (five,) = shared(*(asking(f"{n}?", system=[text(RULES, cache_control={"type": "ephemeral"})]) for n in range(3)))
    assert five.mark == "5m"


def test_memory_is_bounded_and_what_matters_is_kept() -> None:
    def peak(prompts: int) -> int:
        prefixes = Prefixes(500)
        tracemalloc.start()
        for n in range(prompts):
            prefixes.add(MODEL, None, pieces(asking(f"{n} {CONTRACT}", system=RULES)), n)
            prefixes.add(MODEL, None, pieces(asking(f"{n} {CONTRACT}", system=RULES)), n)
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert prefixes.shared()[0].items == 2 * prompts
        return peak_bytes

    assert peak(20_000) < peak(2_000) * 2


def test_a_prompt_is_cut_off_after_a_piece() -> None:
    params = asking("Why?", text(CONTRACT), system=[text(RULES), text("Be brief.")], tools=TOOLS)
    params["messages"] += [{"role": "assistant", "content": "So."}, {"role": "user", "content": "And?"}]
    cuts: list[Any] = [head(params, length) for length in range(8)]
    empty: Any = nothing(params)
    sizes = [prompt_tokens(cut) - prompt_tokens(empty) for cut in cuts]
    assert sizes[0] == 0
    assert sizes == sorted(sizes)
    assert "system" not in cuts[1]
    assert cuts[2]["system"] == [text(RULES)]
    assert cuts[3]["messages"] == [{"role": "user", "content": "."}]
    assert cuts[4]["messages"][0] == {"role": "user", "content": [text(CONTRACT)]}
    assert cuts[7]["messages"][:3] == params["messages"]
    assert sum(piece.size for piece in pieces(params)) > len(RULES) + len(CONTRACT)


def test_only_what_costs_tokens_is_counted() -> None:
    params = asking("hi", stop_sequences=["x"], metadata={"user_id": "u"}, thinking={"type": "adaptive"})
    assert counted(params) == {name: params[name] for name in ("model", "messages", "thinking")}


def test_anything_json_has_pieces() -> None:
    odd = {
        "tools": [7],
        "system": [None],
        "messages": ["x", {"role": "user", "content": [[], {"type": "tool_result"}]}],
    }
    assert len(list(pieces(odd))) == 4
