"""The same at size and in rounds: thousands of items, hundreds of deaths. `pytest -m long`."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from overnight_workers.one_machine.supervision import process_table
from tests.faults.installed import Installed
from tests.faults.orders import items_of, write_file
from tests.waiting import wait_until

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

MANY = 5000
FEW = 400
EACH_TIME = 250
"""Deliveries between two attacks, when many items are under way."""


@pytest.fixture(scope="module")
def overnight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    installed = Installed(tmp_path_factory.mktemp("overnight"))
    try:
        installed.start()
        yield installed
    finally:
        installed.close()


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[[object], None]:
    def show(numbers: object) -> None:
        with capsys.disabled():
            print(f"\n{request.node.name}: {numbers}")

    return show


def test_thousands_undisturbed(overnight: Installed, report: Callable[[object], None]) -> None:
    order = overnight.order(MANY)
    overnight.finish(order, 600)
    report(overnight.assert_books_are_right(order, repeats=False))


def test_a_file_by_the_command_line(overnight: Installed, tmp_path: Path) -> None:
    file = write_file(tmp_path / "items.jsonl", items_of("file", MANY, "file"))
    verdict = json.loads(overnight.command("enqueue", str(file), "--run", "file", "--wait", "--json", timeout_s=600))
    assert (verdict["accepted"], verdict["items"]) == (MANY, {"succeeded": MANY})
    again = json.loads(overnight.command("enqueue", str(file), "--run", "file", "--json"))
    assert (again["accepted"], again["known"]) == (0, MANY)
    assert len(overnight.command("outcomes", "--run", "file").splitlines()) == MANY
    assert json.loads(overnight.command("doctor", "--json"))["ok"]


@pytest.mark.parametrize("worker", ["intake", "batches", "submit", "results", "deliver"])
def test_the_processes_of_one_pool_killed_again_and_again(overnight: Installed, worker: str) -> None:
    order = overnight.order(FEW, paced_s=5)
    while not order.confirmed.done():
        before = overnight.children(worker)
        for who in before:
            process_table.send(who, signal.SIGKILL)
        wait_until(lambda: order.confirmed.done() or len(overnight.children(worker)) >= len(before) > 0)  # noqa: B023
    overnight.finish(order)
    overnight.assert_books_are_right(order)


ATTACKS: dict[str, Callable[[Installed, str], None]] = {
    "workers": lambda overnight, _: overnight.kill_workers(),
    "flush": lambda overnight, queue: overnight.flush_redis(queue),
    "redis": lambda overnight, _: overnight.kill("redis"),
    "postgres": lambda overnight, _: overnight.kill("postgres"),
    "sandbox": lambda overnight, _: overnight.kill("sandbox"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_one_kind_of_attack_in_rounds(overnight: Installed, attack: str, report: Callable[[object], None]) -> None:
    order = overnight.order(MANY, paced_s=10)
    rounds = 0
    wait_until(lambda: overnight.states(order))
    for seen in range(0, MANY, EACH_TIME * 4):
        wait_until(lambda: overnight.deliveries(order).get("delivered", 0) >= seen, 300)  # noqa: B023
        ATTACKS[attack](overnight, order.queue)
        rounds += 1
    overnight.finish(order, 600)
    report(overnight.assert_books_are_right(order) | {"rounds": rounds})


def test_every_kind_of_attack_in_turn(overnight: Installed, report: Callable[[object], None]) -> None:
    order = overnight.order(MANY, paced_s=30)
    rounds = 0
    kinds = itertools.cycle(ATTACKS.values())
    for seen in range(0, MANY, EACH_TIME):
        wait_until(lambda: overnight.deliveries(order).get("delivered", 0) >= seen, 300)  # noqa: B023
        next(kinds)(overnight, order.queue)
        rounds += 1
    overnight.finish(order, 600)
    report(overnight.assert_books_are_right(order) | {"rounds": rounds})


def test_everything_killed_at_once_again_and_again(overnight: Installed, report: Callable[[object], None]) -> None:
    order = overnight.order(MANY)
    rounds = 0
    for seen in range(0, MANY, EACH_TIME * 5):
        wait_until(lambda: sum(overnight.states(order).values()) > 0, 120)
        wait_until(lambda: overnight.deliveries(order).get("delivered", 0) >= seen, 300)  # noqa: B023
        overnight.kill_everything()
        overnight.start()
        rounds += 1
    overnight.finish(order, 600)
    report(overnight.assert_books_are_right(order) | {"rounds": rounds})


def test_nothing_of_it_is_stuck_or_left(overnight: Installed) -> None:
    overnight.assert_nothing_is_stuck()
    overnight.stop()
