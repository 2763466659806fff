"""A value as a fault quotes it: a slip of the pen can be seen, a prompt in the wrong place can't."""

from __future__ import annotations

import re
from typing import Final

_WORD: Final = re.compile(r"[\w.:+/-]{0,60}")


def is_word(value: object) -> bool:
    """Whether it is one word, such as a model's name."""
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def quoted(value: object) -> str:
    """A number or a word as it is; of anything else what it is."""
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 10**20):
        return repr(value)
    if isinstance(value, str):
        return repr(value) if _WORD.fullmatch(value) else f"a text of {len(value):,} characters"
    return "a list" if isinstance(value, list | tuple) else "an object" if isinstance(value, dict) else "something else"
