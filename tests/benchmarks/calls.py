"""What the sandbox has been called for and when, from its log (`--verbose`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from tests.benchmarks.service import Service

_LINE: Final = re.compile(r"(\S+ \S+) (GET|POST) (/v1\S+) (\w+) ([\d.]+) ms")


@dataclass(frozen=True)
class Call:
    """One call of the API."""

    name: str
    """As in `GET /v1/messages/batches`."""
    arrived_at: float
    answered_at: float


def read_calls(service: Service) -> list[Call]:
    """All calls so far, in the order in which they were answered."""
    log = service.home / "data" / "log" / "sandbox.log"
    calls = []
    for at, method, path, _status, took_ms in _LINE.findall(log.read_text()):
        answered_at = datetime.strptime(at, "%Y-%m-%d %H:%M:%S,%f").astimezone().timestamp()
        calls.append(Call(f"{method} {path}", answered_at - float(took_ms) / 1000, answered_at))
    return calls
