"""Every act of the operator's pages, clicked in Chromium on a real installation: `make tour`. Needs chromium.

    python -m tests.tour [--rows 100000] [--by keyboard] [--width 420] [--theme dark] [--pictures DIRECTORY]

One `overnight up` with Flower and the sandbox. On a lane with so many rows a person pauses, cancels (all that fit a
filter, aborted on the way where they are many; then some that are ticked), tries again, resumes, drains, raises a cap,
adopts a batch's id and says of another that it was never created. Each time the preview's count and dollars are what
*Actions* keeps, the ledger has done that and no more, and at the end the sandbox's meter is the ledger's bill.

Without `--rows`: no row and one row by the keyboard alone, the one in a narrow dark window; 100,000 with the mouse.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from overnight_models.embedded_urls import read_urls
from tests.browser import running_browser
from tests.faults.installed import Installed
from tests.tour.hands import By, Hands
from tests.tour.stops import WHO, Stops

T = TypeVar("T")

_LANE: Final = """
[lanes.{lane}]
workspace = "{lane}"
max_wait = "{max_wait}"

[workspaces.{lane}]
api_key_env = "KEY_OF_{lane}"
tier = "scale"
"""
_TIMING: Final = """
[timing]
poll_every = "500ms"
sweep_every = "500ms"
create_timeout = "30s"
wire = "500ms"
quiet = "10m"
"""
"""What has no answer stays unclear until a person decides."""


class Round(NamedTuple):
    """One person's way through all acts."""

    rows: int
    by: By
    width: int
    theme: str

    @property
    def lane(self) -> str:
        """The lane on which it is done."""
        return f"tour{self.rows}"


ROUNDS: Final = (
    Round(0, "keyboard", 1400, "light"),
    Round(1, "keyboard", 420, "dark"),
    Round(100_000, "mouse", 1400, "light"),
)


def main() -> int:
    """Go through all of it, and print what each act took. A fault is an AssertionError."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help="So many rows; may be said several times.")
    parser.add_argument("--by", choices=("mouse", "keyboard"), default="mouse")
    parser.add_argument("--width", type=int, default=1400)
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    parser.add_argument("--pictures", type=Path, help="Keep each page there, as PNG.")
    given = parser.parse_args()
    rounds: Sequence[Round] = [Round(rows, given.by, given.width, given.theme) for rows in given.rows or ()] or ROUNDS
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overnight-tour-")))
        home.chmod(0o755)  # not private: Postgres has a user of its own when this is root's
        overnight = _installed(home, rounds)
        stack.callback(overnight.close)
        overnight.start()
        asyncio.run(_go(overnight, rounds, home / "browser", given.pictures))
    return 0


def _installed(home: Path, rounds: Sequence[Round]) -> Installed:
    lanes = {lane: wait for way in rounds for lane, wait in ((way.lane, "1h"), (f"{way.lane}_unclear", "300ms"))}
    toml = _TIMING + "".join(_LANE.format(lane=lane, max_wait=wait) for lane, wait in lanes.items())
    environment = {f"KEY_OF_{lane}": f"sk-sandbox-{lane}" for lane in lanes} | {
        "OVERNIGHT_ROLES": json.dumps({"operator": [WHO]}),
        "FLOWER_BASIC_AUTH": f"{WHO}:secret",
        "PATH": os.environ["PATH"],
    }
    return Installed(home, toml, environment=environment, flower=True)


async def _go(overnight: Installed, rounds: Sequence[Round], profile: Path, pictures: Path | None) -> None:
    url = read_urls(overnight.data_dir)["flower_url"].replace("//", f"//{WHO}:secret@").rstrip("/")
    async with running_browser(profile) as browser:
        for way in rounds:
            hands = Hands(browser, url, way.by, way.width, way.theme)
            await _round(Stops(overnight, hands, way.lane, way.rows, pictures), way)


async def _round(stops: Stops, way: Round) -> None:
    print(f"{way.rows:,} rows, by {way.by}, {way.width} pixels, {way.theme}")
    for act in (stops.pause, stops.cancel_all, stops.try_again):
        await _timed(act.__name__, act, stops)
    canceled = await _timed("cancel selected", stops.cancel_selected, stops)
    for act in (stops.resume, stops.drain_without_room, stops.raise_the_cap, stops.resume, stops.drain):
        await _timed(act.__name__, act, stops)
    await _timed("finish", lambda: stops.finish(canceled), stops)
    for act in (stops.adopt, stops.never_created):
        await _timed(act.__name__, act, stops)


async def _timed(name: str, act: Callable[[], Awaitable[T]], stops: Stops) -> T:
    began, keys, clicks = time.monotonic(), stops.hands.keys, stops.hands.clicks
    answer = await act()
    keys, clicks = stops.hands.keys - keys, stops.hands.clicks - clicks
    print(
        f"  {name.replace('_', ' '):18} {time.monotonic() - began:6.1f} s  {keys:5} keys  {clicks:3} clicks", flush=True
    )
    return answer


if __name__ == "__main__":
    sys.exit(main())
