"""What stands in an answer: its text, and the tools that it calls. Collect and the product read it in the same way."""

from __future__ import annotations


def whole_text(content: object) -> str:
    """The text blocks, joined; empty if there is none."""
    return "".join(map(_text, _blocks(content)))


def readings(content: object) -> list[str]:
    """What may be meant as the answer's text, the likeliest first, each once; empty when there is no text.

    All text; what follows the last block that is no text, as after a search; the last text block. A model that uses
    tools of the API says what it will do before it does it, and that is no part of the JSON that was asked for.
    """
    blocks = _blocks(content)
    texts = [_text(block) for block in blocks]
    if len(texts) > 1:
        after = next((at for at in reversed(range(len(blocks))) if blocks[at].get("type") != "text"), -1) + 1
        candidates = [
            "".join(texts),
            "".join(texts[after:]),
            next((text for text in reversed(texts) if text.strip()), ""),
        ]
    else:
        candidates = texts
    return [text for text in dict.fromkeys(candidates) if text.strip()]


def has_text(content: object) -> bool:
    """Whether there are any `readings`."""
    for block in content if isinstance(content, list) else ():
        text = _text(block) if isinstance(block, dict) else ""
        if text and not text.isspace():
            return True
    return False


def tool_calls(content: object) -> list[dict[str, object]]:
    """The calls of the caller's own tools: `tool_use` blocks. What the API's own tools did is not among them."""
    if not isinstance(content, list):
        return []
    return [block for block in content if isinstance(block, dict) and block.get("type") == "tool_use"]


def _blocks(content: object) -> list[dict[str, object]]:
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def _text(block: dict[str, object]) -> str:
    text = block.get("text") if block.get("type") == "text" else None
    return text if isinstance(text, str) else ""
