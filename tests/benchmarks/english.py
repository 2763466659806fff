"""Texts that compress as English does: words in the order in which they follow each other in Python's own manual.

A word repeated, or a random one of a list, makes a store look many times smaller, or larger, than it will be.
"""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from functools import cache
from pydoc_data.topics import topics
from typing import Final

_POOL: Final = 4_000
"""Texts before the first comes again: more than the window of any compressor here holds."""


def text(number: int, size: int) -> str:
    """About `size` bytes for item `number`, the same in every process."""
    return _pool(size)[number % _POOL]


@cache
def _pool(size: int) -> list[str]:
    words = " ".join(topics.values()).encode("ascii", "ignore").decode().split()
    followers: dict[str, list[str]] = defaultdict(list)
    for word, after in itertools.pairwise(words):
        followers[word].append(after)
    draw = random.Random(1914)
    return [_text(draw, words, followers, size) for _ in range(_POOL)]


def _text(draw: random.Random, words: list[str], followers: dict[str, list[str]], size: int) -> str:
    said = [draw.choice(words)]
    length = len(said[0])
    while length < size:
        after = followers.get(said[-1])
        said.append(draw.choice(after or words))
        length += len(said[-1]) + 1
    return " ".join(said)[:size]
