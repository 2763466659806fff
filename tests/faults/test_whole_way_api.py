"""From enqueue to callback while the API does everything that it has ever done: each item paid once.

Every kind of trouble has a lane and workspace of its own, so that all happen at the same time: none may stall another.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.installed import Installed
from tests.faults.orders import Order
from tests.faults.troubled import TROUBLES, troubled

pytestmark = pytest.mark.whole

ITEMS = 150

COUNTED = [lane for lane, rules in TROUBLES.items() if all("count" in rule for rule in rules)]
"""Those of which the sandbox can say that they happened."""


@pytest.fixture(scope="module")
def overnight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    yield from troubled(tmp_path_factory.mktemp("overnight"), list(TROUBLES))


@pytest.fixture(scope="module")
def orders(overnight: Installed) -> Iterator[dict[str, Order]]:
    """All at once."""
    for lane, rules in TROUBLES.items():
        overnight.faults(lane, *rules)
    yield {lane: overnight.order(ITEMS, lane=lane) for lane in TROUBLES}
    overnight.faults_are_over()


@pytest.mark.parametrize("lane", TROUBLES)
def test_each_item_is_paid_once_and_delivered(overnight: Installed, orders: dict[str, Order], lane: str) -> None:
    overnight.finish(orders[lane], 120)
    overnight.assert_books_are_right(orders[lane])
    if lane in COUNTED:
        assert all(overnight.fired(lane))


def test_nothing_of_it_is_stuck(overnight: Installed) -> None:
    overnight.assert_nothing_is_stuck()
