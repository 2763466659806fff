"""What a worker took and didn't acknowledge comes back, whoever died while giving back."""

from __future__ import annotations

from typing import Any

import redis
from celery import Celery

from overnight_models.wire.redis_place import read_redis_url
from overnight_workers.celery_worker.celery_app import app


def test_a_lock_whose_holder_lost_redis_keeps_messages_for_half_a_minute_at_the_most(redis_url: str) -> None:
    with Celery(set_as_current=False) as worker, redis.Redis.from_url(redis_url) as client:
        worker.conf.update(read_redis_url(redis_url).celery(app.conf.broker_transport_options))
        with worker.connection_for_read() as connection:
            channel: Any = connection.default_channel
            client.lock(channel.unacked_mutex_key, timeout=channel.unacked_mutex_expire).acquire(blocking=False)
            key = channel.unacked_mutex_key
        remaining: Any = client.pttl(key)
        assert 0 < remaining <= 30_000
        client.delete(key)
