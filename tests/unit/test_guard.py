"""Webhooks go where they are meant to go: what was checked is what is connected to, whatever a name stands for next."""

from __future__ import annotations

import asyncio
import ipaddress
import shutil
import ssl
from collections.abc import Sequence
from pathlib import Path

import pytest

from overnight_models.wire.signature import read_secrets
from overnight_workers.configuration.addresses import REFUSED, may_be_allowed, why_refused
from overnight_workers.configuration.webhook_settings import Webhook, networks
from overnight_workers.webhooks.posting import Answer, Poster
from tests.endpoints import SECRET, listening
from tests.faults.redis_servers import certificates

PUBLIC = ("1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1")
IN_EVERY_SPELLING = (
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2001::7f00:1",
    "2001:0:7f00:1::",
    "2a00:1450::5efe:127.0.0.1",
    "2a00:1450::200:5efe:127.0.0.1",
    "::ffff:8.8.8.8",
    "2002:808:808::",
)
"""IPv4 in IPv6; of public ones too."""


def webhook(url: str, **more: object) -> Webhook:
    """An endpoint there."""
    return Webhook(url=url, secrets=("env:NOWHERE",), **more)  # type: ignore[arg-type]


class Resolver:
    """A resolver that answers something else each time it is asked."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self._answers.pop(0)


async def post(poster: Poster) -> Answer:
    return await poster.post(read_secrets(SECRET), "id", b"{}")


@pytest.mark.parametrize(("network", "why"), REFUSED)
def test_the_first_and_the_last_address_of_each_network_are_refused(network: str, why: str) -> None:
    read = ipaddress.ip_network(network)
    assert why_refused(read[0]) is not None
    assert why_refused(read[-1]) is not None
    assert why


@pytest.mark.parametrize("address", IN_EVERY_SPELLING)
def test_ipv4_in_ipv6_is_refused_in_every_spelling(address: str) -> None:
    assert why_refused(ipaddress.ip_address(address)) is not None
    assert why_refused(ipaddress.ip_address(address), networks(["127.0.0.0/8"])) is not None


@pytest.mark.parametrize("address", ["fe80::1%eth0", "2a00:1450::1%eth0", "4000::1", "fd00:ec2::254", "168.63.129.16"])
def test_zones_and_what_is_given_to_nobody_are_refused(address: str) -> None:
    assert why_refused(ipaddress.ip_address(address)) is not None


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_gone_to(address: str) -> None:
    assert why_refused(ipaddress.ip_address(address)) is None


def test_a_private_network_that_is_meant_may_be_gone_to_and_its_neighbours_may_not() -> None:
    allowed = networks(["10.20.0.0/16", "fd12::/16"])
    assert why_refused(ipaddress.ip_address("10.20.255.1"), allowed) is None
    assert why_refused(ipaddress.ip_address("fd12::1"), allowed) is None
    assert why_refused(ipaddress.ip_address("10.21.0.1"), allowed) == "private"


@pytest.mark.parametrize("network", ["169.254.169.254/32", "0.0.0.0/0", "::/0", "169.254.0.0/17", "224.0.0.0/4"])
def test_the_metadata_of_a_cloud_and_everything_at_once_can_not_be_allowed(network: str) -> None:
    assert not may_be_allowed(ipaddress.ip_network(network))


def test_a_name_that_stands_for_another_address_the_second_time_leads_nowhere_else() -> None:
    resolver = Resolver(["127.0.0.1"], ["127.0.0.1", "10.0.0.1"])

    async def run() -> tuple[Answer, Answer]:
        to = webhook(at.url.replace("127.0.0.1", "shop.example"), allow_private=networks(["127.0.0.0/8"]))
        first, second = Poster(to, resolve=resolver), Poster(to, resolve=resolver)
        try:
            return await post(first), await post(second)
        finally:
            await first.close()
            await second.close()

    with listening() as at:
        went, refused = asyncio.run(run())
        (came,) = at.came
    assert went.is_taken
    assert came.headers["host"].startswith("shop.example:")
    assert (refused.status, refused.may_have_come) == (None, False)
    assert "shop.example stands for 10.0.0.1, where webhooks don't go: private" in refused.why
    assert resolver.asked == ["shop.example"] * 2


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_not_reached_by_any_of_its_names(host: str) -> None:
    async def run() -> Answer:
        poster = Poster(webhook(f"https://{host}:{at.url.split(':')[-1]}"))
        try:
            return await post(poster)
        finally:
            await poster.close()

    with listening() as at:
        answer = asyncio.run(run())
        assert at.came == []
    assert (answer.status, answer.may_have_come) == (None, False)
    assert "where webhooks don't go" in answer.why or "can't be resolved" in answer.why


def test_what_is_not_encrypted_goes_to_allowed_networks_only() -> None:
    async def run() -> Answer:
        to = webhook("http://shop.example/", allow_private=networks(["10.0.0.0/8"]))
        poster = Poster(to, resolve=Resolver(["93.184.216.34"]))
        try:
            return await post(poster)
        finally:
            await poster.close()

    assert "isn't encrypted" in asyncio.run(run()).why


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "http://127.0.0.1:1")

    async def run() -> Answer:
        poster = Poster(webhook(at.url, allow_private=networks(["127.0.0.0/8"])))
        try:
            return await post(poster)
        finally:
            await poster.close()

    with listening() as at:
        assert asyncio.run(run()).is_taken


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl")
def test_the_certificate_is_verified_by_what_the_machine_trusts_and_by_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = certificates(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(held / "server.pem", held / "server.key")

    async def run(host: str, **more: object) -> Answer:
        url = at.url.replace("127.0.0.1", host)
        poster = Poster(webhook(url, allow_private=networks(["127.0.0.0/8"]), **more), resolve=Resolver(["127.0.0.1"]))
        try:
            return await post(poster)
        finally:
            await poster.close()

    with listening(tls) as at:
        refused = asyncio.run(run("localhost"))
        assert not refused.may_have_come
        assert "certificate verify failed" in refused.why
        known = asyncio.run(run("localhost", ca_file=str(held / "ca.pem")))
        assert (known.status, known.tls.partition(",")[0]) == (204, "TLSv1.3")
        assert "certificate" in asyncio.run(run("shop.example", ca_file=str(held / "ca.pem"))).why
        monkeypatch.setenv("SSL_CERT_FILE", str(held / "ca.pem"))
        assert asyncio.run(run("localhost")).is_taken
