"""What is wrong with an answer, by why the model stopped and what stands in it: for collect and for products' tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from overnight_models.wire.answer import has_text, readings, tool_calls
from overnight_models.wire.outcome import Problem

Check = Callable[[str], str | None]
"""What is wrong with an answer's text, by the schema that was asked for; None when nothing is."""


class Content(StrEnum):
    """What stands in an answer."""

    FITS = "text that fits, or any text where no schema was asked for"
    MISFIT = "text that doesn't fit the schema"
    CALL = "a call of one of your tools"
    NOTHING = "neither text nor a call"


_BY_CONTENT: Final = {
    Content.FITS: None,
    Content.MISFIT: Problem.INVALID_OUTPUT,
    Content.CALL: None,
    Content.NOTHING: Problem.INVALID_OUTPUT,
}
_CUT_OFF: Final = dict.fromkeys(Content, Problem.CUT_OFF)
REFUSED_WITHOUT_WORDS: Final = "the model refused to answer"
"""What is said of a refusal that says neither its category nor why."""
ANY_OTHER: Final = "any other, also of tomorrow"
PROBLEMS: Final[Mapping[str, Mapping[Content, Problem | None]]] = {
    "end_turn": _BY_CONTENT,
    "stop_sequence": _BY_CONTENT,
    "tool_use": _BY_CONTENT,
    "max_tokens": _CUT_OFF,
    "model_context_window_exceeded": _CUT_OFF,
    "pause_turn": _CUT_OFF,
    "compaction": _CUT_OFF,
    "refusal": dict.fromkeys(Content, Problem.REFUSED),
    ANY_OTHER: _BY_CONTENT,
}
"""What is wrong with an answer, by why it stopped and what stands in it; None is ok. producers/README.md shows it."""


def problem_of(message: dict[str, object], check: Check | None) -> tuple[Problem | None, str | None]:
    """What is wrong with the API's Message, and in which words; None twice when it is of use.

    check: of the answer's text; None when no schema was asked for.
    """
    stop = str(message.get("stop_reason"))
    content, wrong = _content(message.get("content"), check)
    problem = PROBLEMS.get(stop, PROBLEMS[ANY_OTHER])[content]
    if problem is Problem.REFUSED:
        details = message.get("stop_details")
        details = details if isinstance(details, dict) else {}
        words = [str(details[name]) for name in ("category", "explanation") if details.get(name)]
        return problem, ": ".join(words) or REFUSED_WITHOUT_WORDS
    if problem is Problem.CUT_OFF:
        return problem, f"the answer is incomplete: {stop}"
    return problem, None if problem is None else wrong


def _content(content: object, check: Check | None) -> tuple[Content, str | None]:
    """What stands in an answer, and what is wrong with it if anything."""
    if tool_calls(content):
        return Content.CALL, None
    if not has_text(content):
        return Content.NOTHING, "the answer is empty: it has neither text nor a tool call"
    if check is None:
        return Content.FITS, None
    wrong = None
    for text in readings(content):
        fault = check(text)
        if fault is None:
            return Content.FITS, None
        wrong = fault  # of the last text: what stands before it may be no part of the answer
    return Content.MISFIT, wrong
