"""The acknowledgement: how a callback says that it has done its work.

A message whose callback asks for it (`"ack": true`, see message.py) carries a header `overnight_ack`. Whoever has done
what the message is for pushes that header's value, as it is, onto a list in Overnight's Redis, in any language:

    LPUSH overnight:acks <value of the header overnight_ack>

Until then the message comes again, with the same delivery id. Repeating it or saying it late does no harm. The value is
nobody's business but Overnight's: it names the delivery's row and which of its generations was sent, so that recording
it is no search, and one from before a replay isn't taken for an answer to what was sent after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

HEADER: Final = "overnight_ack"


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
