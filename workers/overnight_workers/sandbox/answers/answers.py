"""What the sandbox answers: made up, saying so, and the same every time for the same request.

Text by default; JSON that fits the schema of `output_config.format`; a tool call when one is forced.
Tokens are bytes / 4, of the prompt and of the answer.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

import orjson

from overnight_models import exact_json
from overnight_workers.sandbox.answers.strings import filled
from overnight_workers.sandbox.answers.weights import BYTES_PER_TOKEN

_WORDS = 8
_REFUSAL_CATEGORIES = ("cyber", "bio", "general_harms", None)
#: Adaptive thinkers think about one request in three.
_THINKS_ONE_IN = 3


class Task(NamedTuple):
    """What an answer to a request has to be, apart from its messages."""

    max_tokens: int
    #: How much it thinks: "disabled", "adaptive", "enabled".
    thinking: str
    #: Values for the schema of the answer or of the tool; None for free text.
    make: Callable[[int, str], object] | None
    #: The name of the tool that has to be called.
    tool: str | None
    #: Size of free text; exact when it was asked for.
    answer_bytes: int
    exact: bool = False


class Answer(NamedTuple):
    """An answer without its usage. `content` and `stop_details` are JSON."""

    content: bytes
    stop_reason: bytes
    stop_details: bytes
    output_tokens: int
    thinking_tokens: int
    #: Searches of the API's own tool, billed by the piece.
    searches: int = 0
    #: What is billed beside it: "compacted", "advised", or nothing.
    beside: str = ""


def answer(task: Task, text: str, seed: int, twist: str = "") -> Answer:
    """The answer to `text`.

    `twist` is what shall be wrong with it: refused, cut_off, invalid_output, unknown_stop, or nothing.
    """
    number = zlib.crc32(text.encode("utf-8", "surrogatepass"), seed & 0xFFFFFFFF)
    if twist == "refused":
        return _refusal(number)
    thinking = 0
    if task.thinking == "enabled" or (task.thinking == "adaptive" and number % _THINKS_ONE_IN == 0):
        thinking = 16 + (number >> 9) % 112
    words = first_words(text)
    if task.tool is not None and task.make is not None:
        return _tool_call(task.tool, task.make(number, words), number, thinking)
    said = _said(task, number, words, text, invalid=twist == "invalid_output")
    spoken = _spoken(said, task.max_tokens, thinking, number, cut=twist == "cut_off")
    return spoken._replace(stop_reason=b"made_up_by_the_sandbox") if twist == "unknown_stop" else spoken


def first_words(text: str) -> str:
    """A few words that say what a text is about: the first of its last paragraph.

    The last, because a prompt made from a template has the row it is about at its end.
    """
    start = text.rfind("\n\n", 0, -2) + 2
    # rfind answers -1 when there is one paragraph only.
    paragraph = text[start : start + 160] if start > 1 else text[:160]
    return " ".join(paragraph.split(None, _WORDS)[:_WORDS])[:80].rstrip(" .,:;")


def _said(task: Task, number: int, words: str, text: str, *, invalid: bool) -> str:
    if task.make is None:
        if invalid:
            return '{"made_up_by_the_sandbox": "not what was asked for"'
        # Between three and five quarters of the usual size.
        size = (
            task.answer_bytes
            if task.exact
            else task.answer_bytes * 3 // 4 + (number >> 7) % (task.answer_bytes // 2 + 1)
        )
        # its own end, so that answers are as unlike each other, and as long when compressed, as what was asked
        return filled(words, size, text[-size:].encode("utf-8", "ignore").decode())
    if invalid:
        return orjson.dumps({"made_up_by_the_sandbox": "does not fit the schema", "about": words}).decode()
    return exact_json.dumps(task.make(number, words)).decode()


def _tool_call(name: str, given: object, number: int, thinking: int) -> Answer:
    block = {
        "type": "tool_use",
        "id": f"toolu_sandbox{number:08x}",
        "caller": {"type": "direct"},
        "name": name,
        "input": given,
    }
    tokens = _tokens_of(len(exact_json.dumps(given))) + thinking
    return Answer(exact_json.dumps([*_thought(thinking, number), block]), b"tool_use", b"null", tokens, thinking)


def _spoken(said: str, max_tokens: int, thinking: int, number: int, *, cut: bool) -> Answer:
    size = len(said) if said.isascii() else len(said.encode())
    tokens = _tokens_of(size)
    if thinking + tokens <= max_tokens and not cut:
        block = {"type": "text", "text": said, "citations": None}
        content = orjson.dumps([*_thought(thinking, number), block] if thinking else [block])
        return Answer(content, b"end_turn", b"null", thinking + tokens, thinking)
    if cut:
        max_tokens = min(max_tokens, thinking + max(1, tokens // 2))
    thinking = min(thinking, max_tokens)
    kept = said.encode()[: (max_tokens - thinking) * BYTES_PER_TOKEN].decode(errors="ignore")
    blocks = _thought(thinking, number)
    if kept:
        blocks.append({"type": "text", "text": kept, "citations": None})
    return Answer(orjson.dumps(blocks), b"max_tokens", b"null", max_tokens, thinking)


def _refusal(number: int) -> Answer:
    details = {
        "type": "refusal",
        "category": _REFUSAL_CATEGORIES[number % len(_REFUSAL_CATEGORIES)],
        "explanation": "Made up: the sandbox was told to refuse this request.",
    }
    return Answer(b"[]", b"refusal", orjson.dumps(details), 1, 0)


def _thought(tokens: int, number: int) -> list[dict[str, object]]:
    if not tokens:
        return []
    return [{"type": "thinking", "thinking": "", "signature": f"bWFkZSB1cCBieSB0aGUgc2FuZGJveA{number:08x}"}]


def _tokens_of(size: int) -> int:
    return max(1, -(-size // BYTES_PER_TOKEN))
