"""A prompt that is too long: refused, cut, or asked of another model. By an estimate that is the same every night."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from overnight_workers.catalogs.faults import BadRow

BYTES_PER_TOKEN: Final = 3
"""Of UTF-8: English has four to a token, Chinese three to a character. Few texts have more tokens than this says."""
_BEGIN: Final = "\ufdd0"
_END: Final = "\ufdd1"
"""Around the text that may be cut: characters that Unicode keeps out of texts."""


class Parts(NamedTuple):
    """A rendered prompt around the text that may be cut."""

    before: str
    cuttable: str
    """Empty where nothing may be cut."""
    after: str


def marked(text: str) -> str:
    """A cell that may be cut, as it is rendered."""
    return f"{_BEGIN}{text}{_END}"


def divided(rendered: str, column: str) -> Parts:
    """The prompt around the marked cell. Raises BadRow when that stands in it more than once."""
    if rendered.count(_BEGIN) > 1:
        raise BadRow(f"{column} may be cut and stands in the prompt more than once: let it stand there once")
    before, begun, rest = rendered.partition(_BEGIN)
    cell, _, after = rest.partition(_END)
    return Parts(before, cell, after) if begun else Parts(rendered, "", "")


def tokens(*texts: str) -> int:
    """How many tokens texts have, about."""
    return -(-_bytes(texts) // BYTES_PER_TOKEN)


def shortened(parts: Parts, max_tokens: int, system: str, column: str) -> Parts:
    """The same with so much of the cell as fits. Raises BadRow when the rest alone is too long."""
    room = max_tokens * BYTES_PER_TOKEN - _bytes((system, parts.before, parts.after))
    if room <= 0:
        raise BadRow(
            f"without {column}, which may be cut, the prompt still has about {tokens(*parts, system):,} tokens"
        )
    cell = parts.cuttable.encode()[:room].decode(errors="ignore")
    return parts._replace(cuttable=cell)


def _bytes(texts: Sequence[str]) -> int:
    return sum(len(text.encode()) for text in texts)
