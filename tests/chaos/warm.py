"""What a worker has behind it when its first task comes: done here once, for all that are forked from this process."""

from __future__ import annotations

import gc

import httpx2

from overnight_models.money import prices
from overnight_models.wire.redis_client import PlainConnection
from overnight_workers.anthropic_api import http_client
from overnight_workers.app import app

httpx2.Client(verify=http_client.trusted()).close()
PlainConnection()
prices.load()
app.finalize()
app.amqp.Producer  # noqa: B018 - looked up on first use
app.connection_for_write().transport_cls  # noqa: B018
gc.freeze()
