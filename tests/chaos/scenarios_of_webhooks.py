"""Outcomes that go to an endpoint which does everything wrong once: whoever sends them is killed at every point."""

from __future__ import annotations

from typing import Final

from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.webhooks.webhooks import webhooks
from tests.chaos.scenario import DONE, ROUND, Scenario
from tests.chaos.steps import message, one, pauses_are_over, tasks
from tests.chaos.webhook_product import SECRET_OF_SHOP, TIMEOUT_S, TROUBLES
from tests.driving import Service

_TO_SHOP: Final = {"webhook": "shop"}


def leases_are_over(service: Service) -> None:
    """What a dead sender had taken is due again, for whoever sends to it next."""
    service.ledger.execute("UPDATE target SET sender_until = now() WHERE sender IS NOT NULL")
    service.ledger.execute("UPDATE delivery SET due_at = now() - interval '1 s' WHERE state = 'sending'")


WEBHOOKS: Final = (
    Scenario(
        "to an endpoint that does everything wrong once",
        (
            message(1, *(one(key, told=_TO_SHOP) for key in "abcde")),
            *ROUND,
            *(
                step
                for _ in range(len(TROUBLES))
                for step in (*tasks(webhooks), pauses_are_over, leases_are_over, *tasks(sweep))
            ),
        ),
        dict.fromkeys("abcde", DONE),
        settings={
            "webhooks": {
                "shop": {
                    "url": "{product}",
                    "secrets": [f"env:{SECRET_OF_SHOP}"],
                    "allow_private": ["127.0.0.0/8"],
                    "group": {"items": 2, "within": "0s"},
                    "concurrency": 1,
                    "timeout": f"{TIMEOUT_S}s",
                }
            }
        },
        shows="SELECT 1 FROM every_delivery WHERE state = 'delivered' HAVING count(*) = 5",
    ),
)
