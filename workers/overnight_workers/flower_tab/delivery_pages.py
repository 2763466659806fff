"""Deliveries: what is due, by where it goes, and what is dead, by what was said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from overnight_models.ledger.operators import delivery_list
from overnight_models.ledger.operators.delivery_list import MOST_COUNTED, MOST_DEAD, DeadGroup
from overnight_models.wire.message import WEBHOOK
from overnight_workers.flower_tab.page import Page
from overnight_workers.operators import fingerprints, targets
from overnight_workers.settings import settings


class DeliveriesPage(Page):
    """`/deliveries`."""

    tab = "deliveries"

    async def answer(self, *parts: str) -> None:
        """What is on its way to products, and what isn't any more."""
        del parts
        listed, dead = await self.ask(
            lambda connection: (delivery_list.targets(connection), delivery_list.dead(connection))
        )
        groups = grouped(dead)
        of_queues = Counter[tuple[str, str]]()
        for group in groups:
            of_queues[group.lane, group.queue] += group.n
        self.show(
            "deliveries.html",
            targets=listed,
            dead=groups,
            of_queues=of_queues,
            most=MOST_COUNTED,
            place=targets.place,
            names=targets.names,
            webhooks=settings().webhooks,
            webhook=lambda target: target.broker.removeprefix(WEBHOOK) if target.broker.startswith(WEBHOOK) else None,
            is_all=sum(group.n for group in dead) < MOST_DEAD,
        )


def grouped(dead: Sequence[DeadGroup]) -> list[DeadGroup]:
    """Those that say the same, as problems of items are grouped; the most frequent first."""
    groups: dict[tuple[str, str, str, str], DeadGroup] = {}
    for part in dead:
        text = fingerprints.masked(None, part.error, targets.names(part.broker, part.queue))
        key = part.lane, part.broker, part.queue, text
        group = groups.get(key, part._replace(error=text, n=0))
        newest = max(group.newest_item_id, part.newest_item_id)
        groups[key] = group._replace(n=group.n + part.n, newest_item_id=newest)
    return sorted(groups.values(), key=lambda group: -group.n)
