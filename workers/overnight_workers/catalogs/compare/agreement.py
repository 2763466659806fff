"""Agreement: of two answers with each other, and of an answer with what is known to be right."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

# Scripts without spaces between words (Thai, Lao, Burmese, Khmer, kana, Chinese): each sign is a word.
_UNSPACED: Final = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
# Elsewhere a word is a run of letters and digits with their marks; `\w` alone ends an Indian word at a vowel sign.
_MARKS: Final = "\u0300-\u036f\u0900-\u0963\u0966-\u0df3"
_WORD: Final = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}](?:[^\W{_UNSPACED}]|[{_MARKS}])*")


def fields_of(value: object) -> dict[str, object]:
    """An answer's fields by name; an answer without fields is one, called `answer`."""
    if isinstance(value, Mapping):
        return {str(name): part for name, part in value.items()}
    return {} if value is None else {"answer": value}


def same(first: object, second: object) -> bool:
    """Whether two fields say the same: numbers by value, lists in any order, texts but for space at their ends.

    A letter with an accent is the same whether it is written as a character or as two.
    """
    if isinstance(first, str) and isinstance(second, str):
        return _composed(first).strip() == _composed(second).strip()
    if isinstance(first, list) and isinstance(second, list):
        return sorted(map(_written, first)) == sorted(map(_written, second))
    return first == second


def _written(value: object) -> str:
    return _composed(value).strip() if isinstance(value, str) else repr(value)


def is_right(value: object, gold: str) -> bool:
    """Whether a field says what the gold column says: as a number where both are, else as a text."""
    numbers = number(value), number(gold)
    if numbers[0] is not None and numbers[1] is not None:
        return numbers[0] == numbers[1]
    if isinstance(value, bool):
        return gold.strip().lower() in (("true", "yes", "1") if value else ("false", "no", "0"))
    return _words(value) == _words(gold)


def f1(value: object, gold: str) -> float:
    """How many words an answer and the gold column share, 0 to 1: the harmonic mean of precision and recall.

    Chinese, Japanese and Thai, which write no spaces between words, are counted by the character.
    Two texts without words agree.
    """
    here, there = Counter(_words(value)), Counter(_words(gold))
    if not here and not there:
        return 1.0
    shared = (here & there).total()
    return 2 * shared / (here.total() + there.total())


def number(value: object) -> Decimal | None:
    """A number, or a text that is one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
        return None
    try:
        read = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def _words(value: object) -> list[str]:
    text = " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return _WORD.findall(_composed(text).lower())


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)  # a file of a Mac may hold é as two characters
