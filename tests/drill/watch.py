"""An operator, or a probe, who runs `overnight doctor --json` again and again."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.faults.installed import Installed
from tests.faults.processes import OVERNIGHT

LOOKS_EVERY_S: Final = 5.0
_TOOK_TOO_LONG_S: Final = 60.0


@dataclass(frozen=True)
class Finding:
    """What doctor says is wrong."""

    check: str
    found: str
    do: str

    def __str__(self) -> str:
        return f"{self.check}: {self.found}"


def look(overnight: Installed) -> list[Finding]:
    """Everything that is wrong now."""
    try:
        done = subprocess.run(
            [*OVERNIGHT, "doctor", "--json"],
            env=overnight.environment,
            capture_output=True,
            text=True,
            timeout=_TOOK_TOO_LONG_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return [Finding("doctor", f"no answer within {_TOOK_TOO_LONG_S:g} s", "")]
    try:
        said = json.loads(done.stdout)
    except ValueError:
        return [Finding("doctor", f"exit {done.returncode}: {done.stdout[-300:]}{done.stderr[-300:]}", "")]
    return [Finding(one["check"], one["found"], one["do"]) for one in said["findings"] if not one["ok"]]


@dataclass(frozen=True)
class Waited:
    """How long it took, and what was seen last."""

    seconds: float
    found: tuple[Finding, ...]
    in_time: bool


def wait_for(overnight: Installed, is_so: Callable[[list[Finding]], bool], timeout_s: float) -> Waited:
    """Look again and again until what is found is so."""
    began = time.monotonic()
    while True:
        found = look(overnight)
        seconds = time.monotonic() - began
        if is_so(found) or seconds > timeout_s:
            return Waited(seconds, tuple(found), is_so(found))
        time.sleep(LOOKS_EVERY_S)  # an operator's own pace
