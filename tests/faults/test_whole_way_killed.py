"""From enqueue to callback while everything that can be killed is: the same numbers as undisturbed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from overnight_workers.one_machine.supervision import process_table
from tests.faults.installed import Installed
from tests.faults.troubled import troubled
from tests.waiting import wait_until

pytestmark = pytest.mark.whole

FEW = 400
FROZEN = 100
STOPS_WITHIN_S = 60.0
"""Five of them are what tasks get to end by themselves, and then servers stop."""
UNDER_WAY = "SELECT count(*) FROM submission WHERE state IN ('claimed', 'sending')"
SENDING = "SELECT count(*) FROM submission WHERE state = 'sending'"


@pytest.fixture(scope="module")
def overnight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    yield from troubled(tmp_path_factory.mktemp("overnight"), ["none"])


def test_undisturbed(overnight: Installed) -> None:
    order = overnight.order(FEW)
    overnight.finish(order)
    overnight.assert_books_are_right(order, repeats=False)
    overnight.assert_nothing_is_stuck()


def test_each_worker_killed_with_its_work_in_hand(overnight: Installed) -> None:
    """All of them at once, with everything else, and in rounds: the tests below, and `make long`."""
    order = overnight.order(FEW, paced_s=3)
    wait_until(lambda: overnight.states(order))
    overnight.kill("intake")
    wait_until(lambda: "open" in overnight.batches(order), what=lambda: overnight.picture(order))
    overnight.kill("batches", "submit", "beat")
    wait_until(lambda: overnight.deliveries(order), what=lambda: overnight.picture(order))
    overnight.kill("results", "deliver")
    overnight.finish(order, 120)
    overnight.assert_books_are_right(order)


def test_every_server_killed_in_turn_and_redis_flushed(overnight: Installed) -> None:
    order = overnight.order(FEW, paced_s=2)
    wait_until(lambda: overnight.states(order))
    overnight.flush_redis(order.queue)
    overnight.kill("postgres")
    wait_until(lambda: "open" in overnight.batches(order), what=lambda: overnight.picture(order))
    overnight.kill("redis")
    wait_until(lambda: "collected" in overnight.batches(order), what=lambda: overnight.picture(order))
    overnight.kill("sandbox", "postgres")
    wait_until(lambda: overnight.deliveries(order).get("delivered"), what=lambda: overnight.picture(order))
    overnight.kill("redis", "postgres")
    overnight.finish(order, 120)
    overnight.assert_books_are_right(order)


def test_everything_killed_at_once_goes_on_at_the_next_up(overnight: Installed) -> None:
    order = overnight.order(FEW, paced_s=1)
    wait_until(lambda: overnight.batches(order), what=lambda: overnight.picture(order))
    overnight.kill_everything()
    overnight.start()
    overnight.finish(order, 120)
    overnight.assert_books_are_right(order)


def test_told_to_stop_in_the_middle_of_everything_it_stops_in_seconds_and_goes_on(overnight: Installed) -> None:
    order = overnight.order(FEW, paced_s=1)
    wait_until(lambda: overnight.batches(order), what=lambda: overnight.picture(order))
    told_at = time.monotonic()
    overnight.stop()
    took_s, printed = time.monotonic() - told_at, overnight.output.read_text()
    overnight.start()
    overnight.finish(order, 120)
    overnight.assert_books_are_right(order)
    assert took_s < STOPS_WITHIN_S
    assert "killed" not in printed


def test_a_submitter_frozen_in_the_middle_of_a_body_past_its_time_sends_nothing_late(overnight: Installed) -> None:
    order = overnight.order(FROZEN, lane="whole", bytes_each=200_000)
    wait_until(lambda: overnight.number(UNDER_WAY), what=lambda: overnight.picture(order))
    # the API reads nothing from now on: the body fills the sockets' buffers, and stays unfinished
    with overnight.frozen(*overnight.processes("sandbox")):
        wait_until(lambda: overnight.number(SENDING), what=lambda: overnight.picture(order))
        submitter = overnight.sender()
        with overnight.frozen(submitter):
            wait_until(lambda: not overnight.number(f"{SENDING} AND now() <= send_by"))
    wait_until(lambda: not process_table.is_alive(submitter))  # before it could write another byte
    overnight.finish(order)
    overnight.assert_books_are_right(order)


def test_a_submitter_frozen_past_its_time_while_the_api_accepts_pays_once(overnight: Installed) -> None:
    overnight.faults("none", {"at": "create", "do": "delay", "seconds": 3, "count": 1})
    order = overnight.order(FROZEN, lane="none")
    wait_until(lambda: overnight.meter(order.workspace).requests > order.meter.requests)
    # the batch is created, and the answer is under way to nobody
    with overnight.frozen(overnight.sender()):
        wait_until(lambda: not overnight.number(f"{SENDING} AND now() <= send_by"))
    overnight.finish(order)
    overnight.assert_books_are_right(order)


def test_nothing_of_it_is_stuck_or_left(overnight: Installed) -> None:
    overnight.assert_nothing_is_stuck()
    overnight.stop()
