"""A Redis over TLS: everybody who speaks to it verifies it, by the same certificates, and says so when it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import redis
from kombu import Connection

from overnight_models import routes
from overnight_models.errors import Unreachable
from overnight_models.wire.plain_redis import PlainRedis
from overnight_models.wire.redis_client import redis_client
from overnight_models.wire.redis_place import RedisPlace, read_redis_url
from overnight_producers.async_connection import AsyncConnection
from overnight_producers.connection import Connection as ProducersConnection
from overnight_workers.celery_worker import transport
from overnight_workers.configuration.broker_settings import BrokerLimits
from overnight_workers.operators import redis_health
from overnight_workers.stages.deliver.brokers import BrokerUnavailable, RedisBroker
from tests.faults.redis_servers import Server, server_over_tls

SCHEMES = ["rediss", "valkeys"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    tls_server = server_over_tls(tmp_path_factory.mktemp("tls"))
    if tls_server is None:
        pytest.skip("no Redis on this machine that speaks TLS (or no openssl)")
    yield tls_server
    tls_server.stop()


@pytest.fixture(scope="module")
def ca_file(server: Server) -> str:
    return str(server.place.parent / "certificates" / "ca.pem")


def through_celery(place: RedisPlace) -> None:
    """Publish by kombu, as the workers' doorbells do; past its pools, which don't tell certificates apart."""
    transport.install()
    transport_options = place.celery({"socket_timeout": 5})
    options = transport_options["broker_transport_options"]
    with Connection(
        transport_options["broker_url"], ssl=transport_options["broker_use_ssl"], transport_options=options
    ) as connection:
        connection.SimpleQueue("rung").put({})


async def length_from_a_loop(place: RedisPlace, queue: str) -> object:
    connection = AsyncConnection(place)
    try:
        return (await connection.commands([("LLEN", queue)]))[0]
    finally:
        await connection.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_with_its_ca_everybody_is_let_in(server: Server, ca_file: str, scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{server.port}/1"
    place = read_redis_url(url, ca_file=ca_file)
    through_celery(place)
    with redis_client(place, timeout_s=5, connect_timeout_s=5) as client:
        assert client.llen("rung") == 1
        assert redis_health.look(client).fault is None
        client.flushdb()
    with PlainRedis(place) as plain:
        assert plain.ask(("PING",), ("LLEN", "rung")) == [b"PONG", 0]
    producers = ProducersConnection(place)
    producers.commands([("LPUSH", routes.POLL, "message")])
    producers.close()
    assert asyncio.run(length_from_a_loop(place, routes.POLL)) == 1
    assert RedisBroker("crm", place, BrokerLimits()).room(routes.POLL).messages < BrokerLimits().max_queue


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_whoever_it_is_not_verified_for_sends_nothing(server: Server, ca_file: str, scheme: str, host: str) -> None:
    """Neither by a CA that isn't known, nor under a name that the certificate doesn't have."""
    server_is_elsewhere = host != "127.0.0.1"
    url = f"{scheme}://{host}:{server.port}/1"
    ca = ca_file if server_is_elsewhere else ""
    if server_is_elsewhere:
        with redis_client(read_redis_url(url.replace(host, "127.0.0.1"), ca_file=ca), **_WAITS) as client:
            client.config_set("bind", "127.0.0.1 127.0.0.2")
    place = read_redis_url(url, ca_file=ca)
    with pytest.raises(Exception, match="certificate verify failed"):
        through_celery(place)
    with redis_client(place, **_WAITS) as client, pytest.raises(redis.ConnectionError, match="certificate verify"):
        client.ping()
    with redis_client(place, **_WAITS) as client:
        assert "set OVERNIGHT_REDIS_CA" in str(redis_health.look(client).fault)
    with pytest.raises(OSError, match="certificate verify failed"):
        PlainRedis(place)
    with pytest.raises(Unreachable, match="certificate verify failed"):
        ProducersConnection(place).commands([("LPUSH", routes.POLL, "message")])
    with pytest.raises(Unreachable, match="certificate verify failed"):
        asyncio.run(length_from_a_loop(place, routes.POLL))
    with pytest.raises(BrokerUnavailable, match="certificate verify failed"):
        RedisBroker("crm", place, BrokerLimits()).room(routes.POLL)


def test_a_url_that_says_so_is_not_verified_by_either(server: Server) -> None:
    place = read_redis_url(f"rediss://127.0.0.1:{server.port}/1?ssl_cert_reqs=CERT_NONE")
    through_celery(place)
    with redis_client(place, **_WAITS) as client:
        assert client.delete("rung") == 1


_WAITS = {"timeout_s": 5.0, "connect_timeout_s": 5.0}
