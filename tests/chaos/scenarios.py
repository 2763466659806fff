"""Every scenario, by its name. Together they reach every point."""

from __future__ import annotations

from typing import Final

from tests.chaos.scenario import Scenario
from tests.chaos.scenarios_of_batches import BATCHES
from tests.chaos.scenarios_of_bulk_actions import BULK_ACTIONS
from tests.chaos.scenarios_of_items import ITEMS
from tests.chaos.scenarios_of_operators import OPERATORS
from tests.chaos.scenarios_of_relays import RELAYS
from tests.chaos.scenarios_of_webhooks import WEBHOOKS

SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.name: scenario for scenario in (*BATCHES, *ITEMS, *RELAYS, *OPERATORS, *BULK_ACTIONS, *WEBHOOKS)
}
