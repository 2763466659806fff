"""A whole installation, two of everything, whose processes die at random points while it is attacked and works."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from random import Random
from typing import Final

import httpx2
import psycopg
import redis

from tests.chaos.armed import HOME, RATE, SEED, calm, deaths
from tests.chaos.attacks import ATTACKS, CUTS, OF_HOSTS
from tests.chaos.hosts import are_apart
from tests.chaos.lanes import BY_DEADLINE, LANES, ROADS, queue_of
from tests.chaos.load_books import Books, close_the_books
from tests.chaos.products import Products
from tests.chaos.troubles import trouble
from tests.faults.installed import Installed
from tests.waiting import wait_until

_TOML: Final = """
[lanes.default]
max_items = 100
max_wait = "300ms"
max_attempts = 50
max_deliveries = 100

[timing]
poll_every = "500ms"
sweep_every = "500ms"
create_timeout = "6s"
wire = "2s"
quiet = "8s"
lease = "12s"
"""
"""Patience in seconds, but more of it than the machine is late under all of this."""

DEADLY: Final = 0.015
"""How likely each point is to be deadly: every few seconds one of each kind of process is killed."""

_AWAY: Final = (psycopg.Error, redis.RedisError, httpx2.HTTPError, OSError, KeyError)
"""What an attack finds when another one was there before."""


class Load:
    """One run of it.

    seed: what decides which attacks come when, what products enqueue, and at which points processes die.
    say: takes news.
    hosts: only whole hosts are attacked, and no process is killed.
    """

    def __init__(self, home: Path, seed: int, say: Callable[[str], object], *, hosts: bool = False) -> None:
        self._attacks = OF_HOSTS if hosts else {**ATTACKS, **CUTS}
        self._rate = 0.0 if hosts else DEADLY
        if not are_apart():
            self._attacks = {name: attack for name, attack in self._attacks.items() if name not in CUTS}
        self.home, self._seed, self._say = home, seed, say
        self.deaths: Counter[str] = Counter()
        """Points at which processes were killed, and how often."""
        self.attacks: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()
        self.again: Counter[str] = Counter()
        """Why products had to enqueue again."""

    def run(self, seconds: float) -> Books:
        """Attack for so long, then let it come to rest. Returns the books; raises when something is stuck."""
        home = self.home
        home.mkdir(parents=True, exist_ok=True)
        variables = {
            HOME: str(home),
            SEED: str(self._seed),
            RATE: str(self._rate),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        overnight = Installed(
            home,
            _TOML,
            lanes=LANES[1:],
            roads=ROADS,
            up=[sys.executable, "-m", "tests.chaos.up"],
            environment=variables,
        )
        with ExitStack() as stack:
            stack.callback(overnight.close)
            overnight.start()
            products = Products(overnight, self._seed, by_deadline=[BY_DEADLINE])
            self.again = products.again
            products.start()
            self._attack(overnight, seconds)
            self._say("calm: everything comes to rest")
            calm(home).touch()
            self.deaths = self._written_deaths()
            overnight.faults_are_over()
            confirmed = products.finish(150)
            wait_until(lambda: is_at_rest(overnight), 240, what=lambda: picture(overnight))
            overnight.assert_nothing_is_stuck()
            got = [delivery_id for lane in LANES for delivery_id in overnight.messages(queue_of(lane))]
            books = close_the_books(overnight, confirmed, LANES, got)
            overnight.stop()
        return books

    def _attack(self, overnight: Installed, seconds: float) -> None:
        draw = Random(f"{self._seed} attacks")
        names = list(self._attacks)
        weights = [self._attacks[name][0] for name in names]
        over = time.monotonic() + seconds
        while (left_s := over - time.monotonic()) > 0:
            time.sleep(min(draw.uniform(0.2, 2.5), left_s))  # an attacker's own pace
            name = draw.choices(names, weights)[0]
            with suppress(*_AWAY):
                self._attacks[name][1](overnight, draw)
                self.attacks[name] += 1
            with suppress(*_AWAY):
                self.troubles[trouble(overnight, draw)] += 1
            self.deaths = self._written_deaths()
            self._say(f"{left_s:4.0f} s left: {name}; killed {self.deaths.total()} times at points")

    def _written_deaths(self) -> Counter[str]:
        written = deaths(self.home)
        return Counter(written.read_text().splitlines() if written.exists() else ())


def is_at_rest(overnight: Installed) -> bool:
    """Whether nothing is under way any more."""
    return not overnight.rows(
        """
        SELECT 1 FROM item WHERE state NOT IN ('succeeded', 'failed', 'canceled', 'redone')
        UNION ALL SELECT 1 FROM every_delivery WHERE state NOT IN ('delivered', 'dead')
        UNION ALL SELECT 1 FROM submission WHERE state NOT IN ('void', 'lost', 'done')
        UNION ALL SELECT 1 FROM direct_call
        -- and whatever was executed twice, or beside what was answered, has been looked for since
        UNION ALL SELECT 1 FROM sighting
        WHERE ours IS NULL AND NOT EXISTS (SELECT FROM submission WHERE submission.api_id = sighting.api_id)
        UNION ALL SELECT 1 FROM submission
        JOIN batch ON batch.id = submission.batch_id JOIN headers ON headers.id = batch.headers_id
        JOIN workspace ON workspace.name = headers.workspace
        WHERE submission.let_go_at IS NOT NULL AND submission.quiet_after > coalesce(swept_at, '-infinity')
        LIMIT 1
        """
    )


def picture(overnight: Installed) -> object:
    """How many of each are in which state: for the message of a run that doesn't come to rest."""
    return overnight.rows(
        """
        SELECT 'item' AS what, state, count(*) AS n FROM item GROUP BY state
        UNION ALL SELECT 'delivery', state, count(*) FROM every_delivery GROUP BY state
        UNION ALL SELECT 'submission', state, count(*) FROM submission GROUP BY state
        UNION ALL SELECT 'batch', state, count(*) FROM batch GROUP BY state
        UNION ALL SELECT 'direct call', CASE WHEN let_go_at IS NULL THEN 'taken' ELSE 'let go' END, count(*)
        FROM direct_call GROUP BY 2
        UNION ALL SELECT 'workspace ' || name, held_reason, 1 FROM workspace WHERE held_reason IS NOT NULL
        """
    )
