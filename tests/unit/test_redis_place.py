"""A URL of a Redis is read once, by one rule: what redis-py and Celery are told is the same, and verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kombu import Connection
from kombu.transport import TRANSPORT_ALIASES
from redis.sentinel import SentinelConnectionPool

from overnight_models.errors import BadSettings
from overnight_models.wire.redis_client import redis_client
from overnight_models.wire.redis_place import read_redis_url
from overnight_workers.celery_worker import transport

PASSWORDS = ["plain", "a b", "p@ss:w/rd?#[]", "100%", "%41", "ü€", ";"]
VERIFIED = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}


def faults(url: str, **more: Any) -> list[str]:
    with pytest.raises(BadSettings) as caught:
        read_redis_url(url, **more)
    return caught.value.faults


def told_to_redis_py(url: str, **more: Any) -> dict[str, Any]:
    client = redis_client(read_redis_url(url, **more), timeout_s=1, connect_timeout_s=1)
    return dict(client.connection_pool.connection_kwargs)


def told_to_kombu(url: str, **more: Any) -> dict[str, Any]:
    settings = read_redis_url(url, **more).celery()
    with Connection(settings["broker_url"], ssl=settings["broker_use_ssl"]) as connection:
        return {
            "host": connection.hostname,
            "port": connection.port,
            "db": int(connection.virtual_host or 0),
            "username": connection.userid,
            "password": connection.password,
            **(settings["broker_use_ssl"] or {}),
        }


def quoted(password: str) -> str:
    return "".join(f"%{byte:02X}" for byte in password.encode())


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("scheme", ["redis", "rediss", "valkey", "valkeys"])
def test_both_libraries_are_told_the_same(scheme: str, password: str) -> None:
    url = f"{scheme}://ann:{quoted(password)}@h.example:6400/3"
    theirs, ours = told_to_kombu(url), told_to_redis_py(url)
    assert theirs == {name: ours[name] for name in theirs}
    assert theirs["password"] == password
    assert theirs.keys() >= VERIFIED.keys() if scheme in ("rediss", "valkeys") else "ssl_cert_reqs" not in theirs


@pytest.mark.parametrize(("url", "node"), [("redis://", ("localhost", 6379)), ("redis://[::1]:7", ("::1", 7))])
def test_what_a_url_leaves_out_is_the_usual(url: str, node: tuple[str, int]) -> None:
    assert read_redis_url(url).nodes == (node,)
    assert (told_to_kombu(url)["host"], told_to_kombu(url)["port"]) == node


@pytest.mark.parametrize("scheme", ["rediss", "valkeys"])
def test_tls_is_verified_unless_the_url_says_otherwise(scheme: str, tmp_path: Path) -> None:
    own = tmp_path / "ca.pem"
    own.touch()
    by_own = {**VERIFIED, "ssl_ca_certs": str(own)}
    assert read_redis_url(f"{scheme}://h").tls == VERIFIED
    assert read_redis_url(f"{scheme}://h", ca_file=str(own)).tls == by_own
    for none in ("none", "CERT_NONE"):
        unverified = {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
        assert read_redis_url(f"{scheme}://h?ssl_cert_reqs={none}").tls == unverified


@pytest.mark.parametrize(
    "option", ["socket_timeout=5", "health_check_interval=3", "protocol=3", "timeout=1", "nonsense="]
)
def test_an_option_that_one_library_does_not_know_is_refused_with_a_sentence(option: str) -> None:
    (fault,) = faults(f"redis://h/0?{option}")
    assert fault.startswith(f"option {option.partition('=')[0]!r} can't be in the URL of a Redis")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis+cluster://h", "a Redis Cluster can't be a Celery broker"),
        ("http://h", "the URL of a Redis begins with redis://"),
        ("redis://:secret/x@h:6379/0", "have to be percent-encoded"),
        ("redis://h/first", "its database is a number"),
        ("redis://a;redis://b", "only Sentinels are several"),
        ("redis://h?ssl_cert_reqs=none", "ssl_cert_reqs without TLS"),
        ("rediss://h?ssl_cert_reqs=maybe", "ssl_cert_reqs is required"),
        ("rediss://h?ssl_check_hostname=maybe", "ssl_check_hostname is true"),
        ("rediss://h?ssl_ca_certs=/nowhere/ca.pem", "there is no file /nowhere/ca.pem"),
        ("sentinel://h", "which primary?"),
        ("unix://host/path", "a socket is a path from the root on"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_a_sentence_without_its_password(url: str, said: str) -> None:
    why = faults(url)
    assert said in "\n".join(why)
    assert "secret" not in "\n".join(why)


def test_certificates_for_a_connection_that_is_not_encrypted_are_refused(tmp_path: Path) -> None:
    (fault,) = faults("redis://h", ca_file=str(tmp_path))
    assert "redis:// isn't encrypted" in fault


def test_every_sentinel_is_told_all_since_celery_forgets_what_the_first_said() -> None:
    place = read_redis_url("sentinel://:pw@a;sentinel://b:26380/2", master_name="mine")
    assert place.nodes == (("a", 26379), ("b", 26380))
    options = place.celery({"socket_timeout": 4})
    assert options["broker_url"] == "sentinel://:pw@a:26379/2;sentinel://:pw@b:26380/2"
    assert options["broker_transport_options"] == {
        "socket_timeout": 4,
        "master_name": "mine",
        "sentinel_kwargs": {"socket_timeout": 4},
    }
    client = redis_client(place, timeout_s=1, connect_timeout_s=1)
    assert isinstance(client.connection_pool, SentinelConnectionPool)


def test_sentinels_over_tls_verify_sentinels_and_primary() -> None:
    options = read_redis_url("sentinels://a?master_name=mine").celery()
    assert options["broker_url"].startswith("sentinel://a:26379")
    assert options["broker_use_ssl"] == VERIFIED
    assert options["broker_transport_options"]["sentinel_kwargs"] == {"ssl": True, **VERIFIED}


def test_a_socket_may_be_written_as_either_library_does() -> None:
    first, second = (
        read_redis_url("unix:///run/r.sock?db=2"),
        read_redis_url("redis+socket:///run/r.sock?virtual_host=2"),
    )
    assert first == second
    assert first.celery()["broker_url"] == "redis+socket:///run/r.sock?virtual_host=2"


def test_every_alias_of_a_redis_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for alias, stock in TRANSPORT_ALIASES.items():
        monkeypatch.setitem(TRANSPORT_ALIASES, alias, stock)
    transport.install()
    assert not [alias for alias, kind in TRANSPORT_ALIASES.items() if kind.startswith("kombu.transport.redis")]
