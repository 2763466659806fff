"""An endpoint in Node, from the schemas alone: it verifies what it gets, and says what it took."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from overnight_models.wire.signature import new_secret, read_secrets, signed_headers
from overnight_models.wire.webhook import read_reply, write_body
from overnight_workers.stages.webhooks.webhooks import webhooks
from tests.contract.contract_schemas import errors
from tests.driving import Service, item

SHOP = Path(__file__).parent / "node" / "shop.mjs"
SECRETS = (new_secret(), new_secret())
DELIVERY = "3f5c2f7e-9a53-5d3e-8a53-b0c1d2e3f405"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no Node here: apt-get install nodejs")


class Endpoint(NamedTuple):
    """A service in Node that listens."""

    process: subprocess.Popen[str]
    port: int

    def post(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Its answer's status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/", body, headers | {"content-type": "application/json"})
        response = connection.getresponse()
        answer = (response.status, response.read())
        connection.close()
        return answer

    def said(self) -> dict[str, Any]:
        """The next line that it prints."""
        assert self.process.stdout is not None
        line: dict[str, Any] = json.loads(self.process.stdout.readline())
        return line


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with subprocess.Popen(
        ["node", str(SHOP), "endpoint"],
        env=os.environ | {"SHOP_WEBHOOK_SECRETS": " ".join(SECRETS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield Endpoint(process, json.loads(process.stdout.readline())["port"])
        assert process.stdin is not None
        process.stdin.close()


def outcome(delivery_id: str, **more: object) -> dict[str, object]:
    return {"delivery_id": delivery_id, "key": "Grüße", "ok": True, "problem": None, **more}


def signed(body: bytes, *secrets: str, at: datetime | None = None) -> dict[str, str]:
    return signed_headers(read_secrets(secrets), DELIVERY, at or datetime.now(UTC), body)


@pytest.mark.parametrize(
    "secrets", [SECRETS[:1], SECRETS[1:], (new_secret(), SECRETS[0])], ids=["first", "second", "after a change"]
)
def test_what_is_signed_by_one_of_its_secrets_is_taken(endpoint: Endpoint, secrets: tuple[str, ...]) -> None:
    body = write_body([outcome("a"), outcome("b")], at=datetime.now(UTC))
    status, answer = endpoint.post(signed(body, *secrets), body)
    assert status == 200
    assert errors("webhook-reply", json.loads(answer)) == []
    assert read_reply(["a", "b"], answer).delivered == {"a", "b"}
    assert [endpoint.said()["outcome"]["key"] for _ in range(2)] == ["Grüße", "Grüße"]


def test_headers_of_a_fetch_request_are_read_too() -> None:
    """An object of their own, without the keys of a plain one."""
    body = write_body([outcome("a")], at=datetime.now(UTC)).decode()
    script = f"""
        import {{ verify }} from {json.dumps(SHOP.with_name("overnight.mjs").as_uri())};
        const [headers, body, secret] = {json.dumps([signed(body.encode(), SECRETS[0]), body, SECRETS[0]])};
        console.log(verify(new Headers(headers), body, [secret]).data.length);
    """
    command = ["node", "--input-type=module", "--eval", script]
    assert subprocess.run(command, capture_output=True, timeout=60, check=True).stdout == b"1\n"


def test_what_it_did_not_take_it_names_and_only_that_comes_again(endpoint: Endpoint) -> None:
    body = write_body([outcome("a"), outcome("b", ok=False, problem="refused")], at=datetime.now(UTC))
    status, answer = endpoint.post(signed(body, SECRETS[0]), body)
    assert status == 200
    assert errors("webhook-reply", json.loads(answer)) == []
    taken = read_reply(["a", "b"], answer)
    assert (taken.delivered, taken.failed) == ({"a"}, {"b": "refused"})
    assert [endpoint.said()["delivery_id"] for _ in range(2)] == ["a", "b"]


@pytest.mark.parametrize(
    ("secret", "late_s", "changed", "why"),
    [
        (new_secret(), 0, b"", "not signed"),
        (SECRETS[0], 400, b"", "another time"),
        (SECRETS[0], -400, b"", "another time"),
        (SECRETS[0], 0, b" ", "not signed"),
    ],
    # secrets are random: without names each worker of the tests would collect others
    ids=["forged", "late", "early", "changed"],
)
def test_what_is_forged_late_or_changed_is_refused(
    endpoint: Endpoint, secret: str, late_s: int, changed: bytes, why: str
) -> None:
    body = write_body([outcome("a")], at=datetime.now(UTC))
    headers = signed(body, secret, at=datetime.now(UTC) - timedelta(seconds=late_s))
    assert endpoint.post(headers, body + changed) == (401, b"")
    assert why in endpoint.said()["refused"]


def test_outcomes_of_a_batch_reach_it_and_what_it_did_not_take_comes_again(
    endpoint: Endpoint, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_SECRET", SECRETS[0])
    place: dict[str, object] = {"url": f"http://127.0.0.1:{endpoint.port}/", "secrets": ["env:NODE_SECRET"]}
    place |= {"allow_private": ["127.0.0.0/8"], "group": {"items": 10, "within": "0s"}}
    service.configure(webhooks={"shop": place})
    to_shop = {"webhook": "shop", "context": {"sku": "A1"}}
    service.answered(item("fine", callback=to_shop), item("refused", callback=to_shop, fault="refused"))
    webhooks()
    came = [endpoint.said()["outcome"] for _ in range(2)]
    assert {outcome["key"]: outcome["problem"] for outcome in came} == {"fine": None, "refused": "refused"}
    assert [outcome["context"] for outcome in came] == [{"sku": "A1"}, {"sku": "A1"}]
    rows = service.ledger.fetch_all("SELECT state, error FROM every_delivery ORDER BY item_id")
    assert [row["state"] for row in rows] == ["delivered", "due"]
