"""Links are made when a webhook is written, and not before: whoever gets it later gets one that is good longer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from overnight_models.errors import BadSettings
from overnight_workers.links import secrets, token
from overnight_workers.settings import settings
from overnight_workers.telemetry import logs

MOST_BYTES: Final = 32_000_000
"""Of an answer that is read by a link; no link is made for a larger one, of which none is known."""
PATH: Final = "/answers/"

log = logs.get(__name__)


def link_to(item_id: int, receipt: UUID, size: int) -> dict[str, str]:
    """`url` and `until` of a link to an item's outcome; empty where none are made.

    size: bytes of its message. What is wrong with the settings costs nobody the webhook: `claim` alone says enough.
    """
    links = settings().links
    if not links.url or size > MOST_BYTES:
        return {}
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=links.good_for)
    try:
        made = token.make(secrets.current()[0], token.Named(item_id, receipt, until))
        return {"url": f"{links.base}{PATH}{made}", "until": until.isoformat().replace("+00:00", "Z")}
    except BadSettings as error:
        log.warning("no link is made", why="; ".join(error.faults))
        return {}
