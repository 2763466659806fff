"""Room: how much more a broker may be given for one queue, so that its product isn't overrun. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from overnight_workers.configuration.broker_settings import BrokerLimits

BYTES_IN_FLIGHT: Final = 2_000_000
"""About as much is pushed at once; a Redis holds it twice for a moment, in its buffers and in the queue."""
_USABLE: Final = 0.9
"""Of a Redis' own maxmemory. In one that is full its product can't even take messages out: that needs memory too."""


@dataclass
class Room:
    """What is left, to be taken up message by message."""

    messages: int
    bytes: float = math.inf
    ever: float = math.inf
    """Bytes that there would be in an empty broker: what is larger never fits."""
    queue_is: str = ""
    memory_is: str = ""

    @property
    def why(self) -> str:
        """What is full, where nothing is left."""
        return self.queue_is if self.messages < 1 else self.memory_is

    @property
    def is_full(self) -> bool:
        """Not one more message."""
        return self.messages <= 0 or self.bytes <= 0

    def take(self, size: int) -> bool:
        """Take up the room of one message. False when there isn't enough."""
        cost = cost_of(size)
        if self.messages < 1 or self.bytes < cost:
            return False
        self.messages -= 1
        self.bytes -= cost
        return True


def cost_of(size: int) -> float:
    """What a message costs a Redis, its own bookkeeping included (measured: 1 to 3% and some hundred bytes)."""
    return size * 1.05 + 250


def room_in(queue: str, length: int, memory: Mapping[str, int | str], limits: BrokerLimits) -> Room:
    """The room for one queue.

    length: messages in it.
    memory: `INFO memory` of a Redis; empty when it isn't known.
    """
    room = Room(
        limits.max_queue - length,
        queue_is=f"queue {queue!r} has {length:,} messages; max_queue is {limits.max_queue:,}",
    )
    max_memory = _most_memory(memory, limits)
    if max_memory is not None:
        used = int(memory["used_memory"])
        room.bytes, room.ever = max_memory - used - BYTES_IN_FLIGHT, max_memory - BYTES_IN_FLIGHT
        room.memory_is = f"its Redis uses {used:,} bytes; deliveries stop before {int(max_memory):,}"
    return room


def _most_memory(memory: Mapping[str, int | str], limits: BrokerLimits) -> float | None:
    """Bytes that a Redis may use in all; None when it doesn't matter."""
    known = [float(limits.max_memory)] if limits.max_memory is not None else []
    # one that evicts makes room by itself
    if memory.get("maxmemory") and memory.get("maxmemory_policy") == "noeviction":
        known.append(int(memory["maxmemory"]) * _USABLE)
    return min(known, default=None)
