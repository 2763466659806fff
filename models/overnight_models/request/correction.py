"""Correction: a request goes on from an answer that isn't of the schema asked for, and says what is wrong with it."""

from __future__ import annotations

import json
from typing import Final

_WORDS: Final = (
    "That is not what was asked for: {why}. Answer again: only JSON of the schema that was asked for, and all of it."
)


def corrected(params: str, answer: str, why: str) -> str | None:
    """The request's JSON, with the wrong answer and what is wrong with it as its last messages.

    What the request begins with stays byte for byte in its prefix; only its messages grow.

    None where it can't go on like that: it has no messages of its own, begins the answer itself, or the answer isn't
    text that the API takes.
    """
    # not orjson: integers of any size stay what they are
    document = json.loads(params)
    messages = document.get("messages")
    if not isinstance(messages, list) or not messages or messages[-1].get("role") != "user":
        return None
    said = [{"role": "assistant", "content": answer}] if answer.strip() else []
    document["messages"] = [*messages, *said, {"role": "user", "content": _WORDS.format(why=why)}]
    written = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    try:
        written.encode()
    except UnicodeEncodeError:
        return None
    return written
