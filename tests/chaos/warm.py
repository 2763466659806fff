"""What a worker has behind it when its first task comes: done here once, for all that are forked from this process."""

from __future__ import annotations

import encodings.idna
import encodings.utf_8_sig
import gc

import celery.app.events
import celery.events.receiver
import httpx2

from overnight_models.money import prices
from overnight_models.wire.redis_client import PlainConnection
from overnight_workers.anthropic_api import http_client
from overnight_workers.app import app
from overnight_workers.keys import key_auth

_IMPORTED_LATE = (encodings.idna, encodings.utf_8_sig, celery.app.events, celery.events.receiver, key_auth)
"""What somebody imports on first use: a codec, a module of the stages, Celery's sender of events."""
httpx2.Client(verify=http_client.trusted()).close()
PlainConnection()
prices.load()
app.finalize()
app.amqp.Producer  # noqa: B018 - looked up on first use
app.connection_for_write().transport_cls  # noqa: B018
gc.freeze()
