"""`make drill`: what fails at night, one thing at a time, under load; how soon somebody is woken, and what is lost.

python -m tests.drill --seed 7
python -m tests.drill --only 'beat frozen' --only 401
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

os.environ.setdefault("OVERNIGHT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
os.environ.setdefault("OVERNIGHT_REDIS_URL", "redis://127.0.0.1:1/0")

from tests.chaos.load_books import Books
from tests.drill.system import System, may_mount
from tests.drill.troubles import NEEDS_DISKS, TROUBLES
from tests.drill.watch import Finding, Page, wait_for
from tests.waiting import wait_until

WOKEN_WITHIN_S: Final = 120.0
_LONGEST_WAIT_S: Final = 240.0
_CALM_S: Final = 300.0
_GIVEN_BACK_S: Final = 330.0
_LONGEST_SENTENCE: Final = 200


@dataclass
class Observed:
    """What was seen of one trouble."""

    name: str
    done: str
    mended: str
    under_way: int
    alarm_s: float | None
    """Until doctor's exit status said that something is wrong."""
    page: Page | None
    said: tuple[Finding, ...]
    later: tuple[Finding, ...]
    """What was said between the first alarm and the end."""
    cleared_s: float | None
    """Since it was mended."""


@dataclass
class Drill:
    """Every trouble, in an order and at moments that the seed decides."""

    seed: int
    home: Path
    only: list[str]
    observed: list[Observed] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    books: Books | None = None

    def run(self) -> None:
        """Everything. Raises AssertionError when something is stuck at the end."""
        draw = Random(self.seed)
        disks = may_mount(self.home)
        names = draw.sample(list(TROUBLES), len(TROUBLES))
        self.skipped = [name for name in names if name in NEEDS_DISKS and not disks]
        with System(self.home, self.seed, disks=disks) as system:
            for name in names:
                if name not in self.skipped and (not self.only or name in self.only):
                    self.observed.append(self._observe(system, name, draw))
            say("products enqueue no more: everything comes to rest")
            self.books = system.come_to_rest()
            # kombu's own lock for giving back may have been held when Redis failed over, and stays for 5 minutes
            system.overnight.assert_nothing_is_stuck(_GIVEN_BACK_S)

    def _observe(self, system: System, name: str, draw: Random) -> Observed:
        calm = wait_for(system.overnight, lambda findings: not findings, _CALM_S)
        assert calm.in_time, f"before {name!r}: {calm.found}"
        system.restore()
        wait_until(lambda: not system.pager.on, 60)
        time.sleep(draw.uniform(3, 25))  # the moment is the trouble's own
        trouble, mended = TROUBLES[name]
        under_way = system.under_way()
        began = time.monotonic()
        system.pager.begin()
        with trouble(system, draw) as done:
            say(f"{name}: {done}; {under_way:,} items under way")
            alarm = wait_for(system.overnight, bool, _LONGEST_WAIT_S, since=began)
            say(f"  after {alarm.seconds:.0f} s: {_words(alarm.found)}")
            page = system.pager.wait(_LONGEST_WAIT_S)
            say(f"  the metrics: {page}")
        say(f"  {mended}")
        later: dict[str, Finding] = {}

        def is_clear(findings: list[Finding]) -> bool:
            later.update({finding.check: finding for finding in findings})
            return not findings

        cleared = wait_for(system.overnight, is_clear, _CALM_S)
        say(f"  all clear after {cleared.seconds:.0f} s, {_words(cleared.found)}")
        return Observed(
            name,
            done,
            mended,
            under_way,
            alarm.seconds if alarm.in_time else None,
            page,
            alarm.found,
            tuple(finding for finding in later.values() if finding.check not in {first.check for first in alarm.found}),
            cleared.seconds if cleared.in_time else None,
        )


def main() -> int:
    """Run what the command line asks for. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.drill", description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=int(os.environ.get("DRILL_SEED") or secrets.randbelow(10**6)))
    parser.add_argument("--only", action="append", choices=list(TROUBLES), default=[], help="only these")
    given = parser.parse_args()
    say(f"seed {given.seed}; the same again: python -m tests.drill --seed {given.seed}")
    # not below a private directory: Postgres has a user of its own when this is root's
    drill = Drill(given.seed, Path(tempfile.mkdtemp(prefix="overnight-drill-")), given.only)
    wrong: list[str] = []
    try:
        drill.run()
    except AssertionError as error:
        wrong.append(f"in {drill.home}: {error}")
    wrong += drill.books.wrong if drill.books else ("the books were never closed",)
    for seen in drill.observed:
        seconds = [seen.alarm_s, None if seen.page is None else seen.page.seconds]
        if any(after_s is None or after_s > WOKEN_WITHIN_S for after_s in seconds):
            wrong.append(f"{seen.name}: nobody was woken within {WOKEN_WITHIN_S:g} s")
        if seen.cleared_s is None:
            wrong.append(f"{seen.name}: not over {_CALM_S:g} s after it was mended")
    report(drill, wrong)
    if not wrong:
        shutil.rmtree(drill.home, ignore_errors=True)
    return 1 if wrong else 0


def report(drill: Drill, wrong: list[str]) -> None:
    """Print the table, as Markdown, and what is wrong."""
    say(f"\ndrill of {datetime.now(UTC):%F}, `make drill DRILL_SEED={drill.seed}`\n")
    say("| what was done | under way | `doctor` after | it said | the metrics after | mended by | clear after |")
    say("|---|---:|---:|---|---|---|---:|")
    for seen in drill.observed:
        said = _words(seen.said) + (f". Later: {_words(seen.later)}" if seen.later else "")
        alarm = "never" if seen.alarm_s is None else f"{seen.alarm_s:.0f} s"
        cleared = "never" if seen.cleared_s is None else f"{seen.cleared_s:.0f} s"
        paged = "never" if seen.page is None else f"{seen.page.seconds:.0f} s: {seen.page.alarm}"
        what = f"**{seen.name}**: {seen.done}"
        say(f"| {what} | {seen.under_way:,} | {alarm} | {said} | {paged} | {seen.mended} | {cleared} |")
    for name in drill.skipped:
        say(f"\nleft out, since only root may mount a small disk: {name}")
    if books := drill.books:
        say(
            f"\n{books.accepted:,} items accepted, {books.batches:,} batches, {books.billed:,} requests billed"
            f" (${books.nanodollars / 1e9:.9f} by the meter and by the ledger), {books.delivered:,} outcomes delivered"
            f" ({books.repeats:,} repeats); lost {books.lost}, paid twice {books.doubles.bills}"
        )
    for sentence in wrong:
        say(f"wrong: {sentence}")


def _words(findings: Sequence[Finding]) -> str:
    """What was said, each only once and in a table's cell."""
    words = {_shortened(finding.found): finding.check for finding in reversed(findings)}
    return "; ".join(f"*{check}*: {words_}" for words_, check in reversed(words.items()))


def _shortened(text: str) -> str:
    line = text.partition("\n")[0].replace("|", "/")
    return line if len(line) <= _LONGEST_SENTENCE else f"{line[:_LONGEST_SENTENCE]} …"


def say(news: str) -> None:
    """To the console."""
    print(news, flush=True)


if __name__ == "__main__":
    sys.exit(main())
