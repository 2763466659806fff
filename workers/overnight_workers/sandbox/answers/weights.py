"""How many tokens a prompt has here: its bytes / 4, a few for each message, 1,500 for an image."""

from __future__ import annotations

import orjson

from overnight_workers.sandbox.answers.checked import Block, Message, Request, Rest

BYTES_PER_TOKEN = 4
MESSAGE_TOKENS = 4
IMAGE_TOKENS = 1_500
TOOLS_TOKENS = 290


def prompt_tokens(params: Request) -> int:
    """Tokens of a whole prompt."""
    return rest_tokens(params) + messages_tokens(params["messages"])


def rest_tokens(params: Rest) -> int:
    """Tokens of what comes before the messages: tools and system."""
    size = tokens = 0
    for tool in params.get("tools") or ():
        size += len(orjson.dumps(tool))
        tokens = TOOLS_TOKENS
    system = params.get("system")
    if isinstance(system, str):
        size += text_bytes(system)
    else:
        for block in system or ():
            size += block_weight(block)[0]
    return tokens + -(-size // BYTES_PER_TOKEN)


def messages_tokens(messages: list[Message]) -> int:
    """Tokens of the messages."""
    size, tokens = 0, MESSAGE_TOKENS * len(messages)
    for message in messages:
        content = message["content"]
        if isinstance(content, str):
            size += text_bytes(content)
            continue
        for block in content:
            block_size, block_tokens = block_weight(block)
            size += block_size
            tokens += block_tokens
    return tokens + -(-size // BYTES_PER_TOKEN)


def block_weight(block: Block) -> tuple[int, int]:
    """Bytes of text, and tokens that come on top, of one content block."""
    type_ = block["type"]
    if type_ == "text":
        return text_bytes(block["text"]), 0
    if type_ == "image":
        return 0, IMAGE_TOKENS
    return len(orjson.dumps(block)), 0


def text_bytes(text: str) -> int:
    """The size of a text in UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
