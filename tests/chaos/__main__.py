"""`make chaos`: everything that can be killed is, for as long as it is told, and then the books must be right.

python -m tests.chaos --seconds 600 --seed 7
python -m tests.chaos --only points --seconds 3000       every death there is, each alone
python -m tests.chaos --only hosts --seconds 300          of two hosts one is frozen, or cut from Postgres or Redis
python -m tests.chaos --death 'the whole way' 17          one of them again
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OVERNIGHT_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nowhere")
os.environ.setdefault("OVERNIGHT_REDIS_URL", "redis://127.0.0.1:1/0")

from tests.chaos.hosts import in_a_network_of_its_own
from tests.chaos.load import Load
from tests.chaos.one_by_one import OneByOne, own_stage
from tests.chaos.report import show

_ASIDE_S = 120.0
"""What starting and coming to rest take, beside the attacks."""


def main() -> int:
    """Run what the command line asks for. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill everything; see what holds.")
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("CHAOS_SECONDS") or 600))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("CHAOS_SEED") or secrets.randbelow(10**6)))
    parser.add_argument(
        "--only", choices=["points", "load", "hosts"], help="hosts: a load of which whole hosts are frozen and cut off"
    )
    parser.add_argument("--death", nargs=2, metavar=("SCENARIO", "NUMBER"), help="one death again, alone")
    parser.add_argument("--in-a-row", metavar="SCENARIO", help="one scenario again, killed at every point")
    options = parser.parse_args()
    if options.death or options.in_a_row:
        return _again(options)
    in_a_network_of_its_own([*sys.argv[1:], "--seed", str(options.seed)])
    only = f" --only {options.only}" if options.only else ""
    again = f"python -m tests.chaos --seconds {options.seconds:g} --seed {options.seed}{only}"
    _say(f"seed {options.seed}; the same again: {again}")
    began = time.monotonic()
    points = OneByOne(options.seed, _say)
    if options.only in (None, "points"):
        with own_stage() as stage:
            points.run(stage, options.seconds if options.only else options.seconds / 2)
    load, books, wrong = None, None, list(points.wrong)
    if options.only != "points":
        load = Load(
            Path(tempfile.mkdtemp(prefix="overnight-chaos-")), options.seed, _say, hosts=options.only == "hosts"
        )
        left_s = options.seconds - (time.monotonic() - began) - _ASIDE_S
        try:
            books = load.run(max(left_s, 30.0))
            wrong += books.wrong
        except AssertionError as error:
            wrong.append(f"under load, in {load.home}: {error}")
        if not wrong:
            shutil.rmtree(load.home, ignore_errors=True)
    return show(options.seed, time.monotonic() - began, points, load, books, wrong)


def _again(options: argparse.Namespace) -> int:
    with own_stage() as stage:
        if options.in_a_row:
            killed, _ = stage.die_at_all_but(options.in_a_row, set())
            _say(f"killed {len(killed)} times in a row; the books are right")
            return 0
        scenario, number = options.death
        death = stage.deaths(scenario)[int(number) - 1]
        _say(f"killed at {death}")
        stage.die(death)
        _say("the books are right")
    return 0


def _say(news: str) -> None:
    print(news, flush=True)


if __name__ == "__main__":
    sys.exit(main())
