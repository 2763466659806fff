"""The acknowledgement: how a callback says that it has done its work.

A message whose callback asks for it (`"ack": true`, see message.py) carries a header `overnight_ack`. Whoever has done
what the message is for pushes that header's value, as it is, onto a list in Overnight's Redis, in any language:

    LPUSH overnight:acks '{"v": 1, "acks": ["<value of the header overnight_ack>", …]}'

or the value alone, which is what `@callback` pushes. `overnight schema acknowledgement` prints its JSON Schema.
Until then the message comes again, with the same delivery id. Repeating it or saying it late does no harm. The value is
nobody's business but Overnight's: it names the delivery's row and which of its generations was sent, so that recording
it is no search, and one from before a replay isn't taken for an answer to what was sent after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

import orjson
from typing_extensions import TypedDict

VERSION: Final = 1
HEADER: Final = "overnight_ack"


class Acknowledgements(TypedDict):
    """What a callback pushes onto the list when the work of one or more messages is done."""

    v: Literal[1]
    acks: list[str]
    """The values of the headers `overnight_ack`, each as it came."""


@dataclass(frozen=True)
class Acknowledgement:
    """What the header says, and comes back."""

    item_id: int
    generation: int
    receipt: UUID
    """The item's own: in a database that was restored, the number may be another's by now."""

    def write(self) -> str:
        """As it travels."""
        return f"{self.item_id}.{self.generation}.{self.receipt}"

    @classmethod
    def read(cls, word: bytes) -> Acknowledgement | None:
        """What came back; None when it never was one. Anybody can push anything onto a list."""
        try:
            item_id, generation, receipt = word.decode().split(".")
            acknowledgement = cls(int(item_id), int(generation), UUID(receipt))
        except ValueError:
            return None
        return (
            acknowledgement
            if 0 <= acknowledgement.item_id < 2**63 and 0 <= acknowledgement.generation < 2**15
            else None
        )


def read_acknowledgements(pushed: bytes) -> list[Acknowledgement | None]:
    """What was pushed: a value alone, or JSON with several; None in the place of what never was one."""
    if not pushed.lstrip().startswith(b"{"):
        return [Acknowledgement.read(pushed)]
    try:
        document = orjson.loads(pushed)
        words = document["acks"] if document["v"] == VERSION else None
    except (ValueError, KeyError):
        words = None
    if not isinstance(words, list):
        return [None]
    return [Acknowledgement.read(word.encode(errors="replace")) if isinstance(word, str) else None for word in words]
