"""Products, relays and Redis are killed at random: items = what was committed, exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.outbox_attack import attack, shop_beside

pytestmark = pytest.mark.whole


def test_items_are_the_committed_orders_and_no_others_though_everything_is_killed(
    tmp_path: Path, postgres: str, database_url: str
) -> None:
    with shop_beside(postgres) as shop:
        result = attack(tmp_path, database_url, shop, transactions=400, deaths=5)
    assert (result.lost, result.invented, result.twice, result.left) == (0, 0, 0, 0)
    assert result.items == result.committed > 200
    assert result.killed
