"""From enqueue to callback while connections are cut, servers stand still, clocks disagree, and the API fails.

Every kind of trouble of the API has a lane and workspace of its own, so that all happen at the same time: none may
stall another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from overnight_models import routes
from overnight_models.embedded_urls import read_urls
from overnight_models.errors import Unreachable
from overnight_producers import Overnight
from tests.faults.installed import Installed
from tests.faults.link import Link
from tests.faults.orders import Order
from tests.faults.troubled import CLOCKS, TROUBLES, troubled
from tests.forking import Program
from tests.waiting import wait_until

pytestmark = pytest.mark.whole

FEW = 150
MANY = list(TROUBLES)[:4]
"""Lanes with a workspace each."""
COUNTED = [lane for lane, rules in TROUBLES.items() if all("count" in rule for rule in rules)]
"""Those of which the sandbox can say that they happened."""


@pytest.fixture(scope="module")
def overnight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    yield from troubled(tmp_path_factory.mktemp("overnight"), list(TROUBLES), CLOCKS)


# --- connections and servers ---------------------------------------------------------------------------------------


def freeze_redis(overnight: Installed) -> None:
    """Until a product was told that it can't be reached, which it is and doesn't hang."""
    product = Overnight(read_urls(overnight.data_dir)["redis_url"])
    with overnight.frozen(*overnight.processes("redis")), pytest.raises(Unreachable):
        product.enqueue({"model": "claude-haiku-5-5", "max_tokens": 1, "messages": [{"role": "user", "content": "?"}]})
    product.close()


def cut_postgres(overnight: Installed) -> None:
    """The connections of everybody who works, and the locks by which they are known to be there."""
    assert overnight.cut_postgres(), "who has just recorded something is still connected"


def cut_redis(overnight: Installed) -> None:
    """The connections of workers, the beat and products, of which some wait for a message."""
    assert overnight.cut_redis() > 5


@pytest.mark.parametrize("attack", [freeze_redis, cut_postgres, cut_redis])
def test_while_accepting_while_open_and_while_delivering(
    overnight: Installed, attack: Callable[[Installed], None]
) -> None:
    order = overnight.order(FEW, paced_s=1)
    wait_until(lambda: overnight.states(order))
    attack(overnight)
    wait_until(lambda: "open" in overnight.batches(order), what=lambda: overnight.picture(order))
    attack(overnight)
    wait_until(lambda: overnight.deliveries(order), what=lambda: overnight.picture(order))
    attack(overnight)
    overnight.finish(order, 120)
    overnight.assert_books_are_right(order)


# --- the API -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def orders_in_trouble(overnight: Installed) -> dict[str, Order]:
    """All at once."""
    for lane, rules in TROUBLES.items():
        overnight.faults(lane, *rules)
    return {lane: overnight.order(FEW, lane=lane) for lane in TROUBLES}


@pytest.mark.parametrize("lane", TROUBLES)
def test_each_item_is_paid_once_and_delivered(
    overnight: Installed, orders_in_trouble: dict[str, Order], lane: str
) -> None:
    order = orders_in_trouble[lane]
    overnight.finish(order, 120)
    overnight.assert_books_are_right(order)
    if lane in COUNTED:
        assert all(overnight.fired(lane))


def test_nothing_of_the_apis_troubles_is_stuck_when_they_are_over(overnight: Installed) -> None:
    overnight.faults_are_over()
    overnight.assert_nothing_is_stuck()


# --- clocks --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def orders_at_other_clocks(overnight: Installed) -> dict[str, Order]:
    """One after the other would take twice as long. The first create of each has no answer."""
    for lane in CLOCKS:
        overnight.faults(lane, {"at": "create", "do": "lose_answer", "count": 1})
    return {lane: overnight.order(FEW, lane=lane) for lane in CLOCKS}


@pytest.mark.parametrize("lane", CLOCKS)
def test_an_api_whose_clock_is_minutes_away_from_ours(
    overnight: Installed, orders_at_other_clocks: dict[str, Order], lane: str
) -> None:
    """What has no answer is found among what the API says was created minutes ago, or will be."""
    order = orders_at_other_clocks[lane]
    overnight.finish(order)
    overnight.assert_books_are_right(order)
    assert overnight.fired(lane) == [1]


# --- two of everything ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def started(
    overnight: Installed, log: Path, *words: str, app: str = "tests.faults.slow_clock", **more: str
) -> Iterator[Program]:
    """One more process of the installation, as on another machine. more: variables for it."""
    urls = read_urls(overnight.data_dir)
    variables = {
        "OVERNIGHT_DATABASE_URL": urls["database_url"],
        "OVERNIGHT_REDIS_URL": urls["redis_url"],
        "ANTHROPIC_BASE_URL": urls["sandbox_url"],
        "ANTHROPIC_API_KEY": "sk-sandbox-default",
        "REMAP_SIGTERM": "SIGQUIT",
        **more,
    }
    process = Program(["celery", "-A", app, *words], log, environment=overnight.environment | variables)
    try:
        yield process
    finally:
        process.terminate()
        assert process.wait(60) == 0, log.read_text()


def test_a_redis_that_can_not_be_reached_from_one_of_two_hosts(overnight: Installed, tmp_path: Path) -> None:
    """What that host had in hand is done by the other one; when it reaches the server again, it works again."""
    log = tmp_path / "worker.log"
    link = Link(read_urls(overnight.data_dir)["redis_url"])
    words = ["worker", "-n", "far@%h", "-Q", ",".join(routes.QUEUES), "-c", "3", "--loglevel", "INFO"]
    options = {"app": "overnight_workers.app", "OVERNIGHT_REDIS_URL": link.url}
    with started(overnight, log, *words, "--without-gossip", "--without-mingle", **options) as far:
        wait_until(lambda: b"ready" in log.read_bytes(), what=log.read_text)
        orders = [overnight.order(FEW, lane=lane) for lane in MANY]
        wait_until(lambda: overnight.states(orders[0]))
        with link.cut():
            for order in orders:
                overnight.finish(order, 120)
                overnight.assert_books_are_right(order)
        with overnight.frozen(*overnight.processes("batches")):
            order = overnight.order(FEW)
            overnight.finish(order, 120)
        overnight.assert_books_are_right(order)
        assert far.poll() is None, "it stayed, and needed nobody to start it again"
    link.close()


@pytest.fixture(scope="module")
def second(overnight: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A second of everything, whose clock is minutes behind. Yields its log."""
    place = tmp_path_factory.mktemp("second")
    log = place / "worker.log"
    worker = ["worker", "-n", "second@%h", "-Q", ",".join(routes.QUEUES), "-c", "3", "--loglevel", "INFO"]
    with (
        started(overnight, log, *worker, "--without-gossip", "--without-mingle"),
        started(overnight, place / "beat.log", "beat", "-s", str(place / "schedule")),
    ):
        wait_until(lambda: b"second@" in log.read_bytes() and b"ready" in log.read_bytes(), what=log.read_text)
        yield log


def test_two_beats_packers_submitters_pollers_collectors_and_deliverers(overnight: Installed, second: Path) -> None:
    """An order in every lane at once, so that the second one has some of all stages; again until it has."""
    rounds = 0
    while not all(word in second.read_bytes() for word in (b'"packed"', b'"submitted"', b'"collected"')):
        orders = [overnight.order(FEW // 5, lane=lane) for lane in TROUBLES]
        for order in orders:
            overnight.finish(order, 120)
            overnight.assert_books_are_right(order)
        rounds += 1
        assert rounds < 20, "the second one never got anything to do"


def test_a_beat_and_sweeps_whose_clock_is_minutes_behind(overnight: Installed, second: Path) -> None:
    """Nobody else sweeps or polls now: what they ring must not be taken for stale by workers that know the time."""
    with overnight.frozen(*overnight.processes("beat", "batches")):
        order = overnight.order(FEW)
        overnight.finish(order, 60)
        overnight.assert_books_are_right(order)
    assert second.exists()


def test_nothing_of_it_is_stuck(overnight: Installed) -> None:
    overnight.assert_nothing_is_stuck()
