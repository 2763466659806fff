"""One request to an endpoint, by itself: a test of it, or an alarm."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from uuid import uuid4

from overnight_models.wire.webhook import TEST, write_body
from overnight_workers.configuration.webhook_settings import Webhook
from overnight_workers.webhooks.posting import Answer, Poster


def ping(webhook: Webhook) -> Answer:
    """Send a request without outcomes, and wait for its answer. Raises BadSettings when a secret isn't there."""
    return post(webhook, str(uuid4()), write_body([], at=datetime.now(UTC), kind=TEST))


def post(webhook: Webhook, message_id: str, body: bytes) -> Answer:
    """Send one body, and wait for its answer. Raises BadSettings when a secret isn't there."""
    return asyncio.run(_post(webhook, message_id, body))


async def _post(webhook: Webhook, message_id: str, body: bytes) -> Answer:
    keys = webhook.keys()
    poster = Poster(webhook)
    try:
        return await poster.post(keys, message_id, body)
    finally:
        await poster.close()
