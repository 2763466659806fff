"""Contents of answers that not every reader of JSON takes, by the deed that asks for them."""

from __future__ import annotations

from typing import Final


def _input(value: bytes) -> bytes:
    return b'[{"type":"tool_use","id":"toolu_sandbox00000000","name":"made_up","input":{"value":%b}}]' % value


ODD_CONTENTS: Final = {
    "lone_surrogate": rb'[{"type":"text","text":"made up, and cut in a character \ud83d","citations":null}]',
    "garbled": b'[{"type":"text","text":"made "up" by the sandbox","citations":null}]',
    "not_a_number": _input(b"NaN"),
    "huge_number": _input(b"1e400"),
    "big_integer": _input(b"123456789012345678901234567890"),
    "deep": _input(b"[" * 2000 + b"]" * 2000),
}
