"""Those who look: an operator who runs `overnight doctor --json` again and again, and a pager on the metrics."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import httpx2
from prometheus_client.parser import text_string_to_metric_families

from tests.faults.installed import Installed
from tests.faults.processes import OVERNIGHT

LOOKS_EVERY_S: Final = 5.0
_SCRAPES_EVERY_S: Final = 2.0
_SCRAPE_TIMEOUT_S: Final = 10.0
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
    return [
        Finding(finding["check"], finding["found"], finding["do"]) for finding in said["findings"] if not finding["ok"]
    ]


@dataclass(frozen=True)
class Waited:
    """How long it took, and what was seen last."""

    seconds: float
    found: tuple[Finding, ...]
    in_time: bool


def wait_for(
    overnight: Installed, is_so: Callable[[list[Finding]], bool], timeout_s: float, *, since: float | None = None
) -> Waited:
    """Look again and again until what is found is so. since: from when it is timed, by the monotonic clock."""
    began = time.monotonic() if since is None else since
    while True:
        findings = look(overnight)
        seconds = time.monotonic() - began
        if is_so(findings) or seconds > timeout_s:
            return Waited(seconds, tuple(findings), is_so(findings))
        time.sleep(LOOKS_EVERY_S)  # an operator's own pace


@dataclass(frozen=True)
class Page:
    """The first urgent alarm in the metrics."""

    seconds: float
    """Since the trouble began."""
    alarm: str


class Pager:
    """Reads Flower's metrics as Prometheus does. An urgent alarm, or that the ledger can't be read, pages.

    url: of `/metrics`.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._began = 0.0
        self.page: Page | None = None
        self.on: list[str] = []
        """What was on at the last look."""

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Read no more."""
        self._enough.set()
        self._thread.join()

    def begin(self) -> None:
        """A trouble begins now; what was paged before is forgotten."""
        self._began, self.page = time.monotonic(), None

    def wait(self, timeout_s: float) -> Page | None:
        """The page, as soon as it comes; None when it doesn't, so long after the trouble began."""
        while self.page is None and time.monotonic() - self._began < timeout_s:
            self._enough.wait(_SCRAPES_EVERY_S)
        return self.page

    def _watch(self) -> None:
        while not self._enough.wait(_SCRAPES_EVERY_S):
            began = self._began
            on = self.on = self._alarms()
            if on and self.page is None and began == self._began:
                self.page = Page(time.monotonic() - began, ", ".join(on))

    def _alarms(self) -> list[str]:
        try:
            text = httpx2.get(self._url, timeout=_SCRAPE_TIMEOUT_S).text
        except httpx2.HTTPError as error:
            return [f"Flower doesn't answer: {type(error).__name__}"]
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        on = [
            sample.labels["alarm"]
            for sample in samples
            if sample.name == "overnight_alarms" and sample.labels["urgent"] == "true" and sample.value
        ]
        unread = any(sample.name == "overnight_ledger_up" and not sample.value for sample in samples)
        return [*on, *(["the ledger can't be read"] if unread else [])]
