"""A large answer is read by the link in its webhook, and by nothing else."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
import uvicorn

from overnight_models.wire.signature import new_secret, read_secrets
from overnight_workers import held
from overnight_workers.cli import app
from overnight_workers.links import serving, token
from overnight_workers.links.token import Named
from overnight_workers.settings import settings
from overnight_workers.stages.webhooks.webhooks import webhooks
from tests.driving import Service, item, read_command
from tests.endpoints import SECRET, listening
from tests.stages.encryption.keys import new_key

OVERNIGHT_MJS = Path(__file__).parents[2] / "contract" / "node" / "overnight.mjs"


@contextmanager
def served() -> Iterator[str]:
    """Where `overnight links` answers, in a thread of this process."""
    with socket.socket() as at:
        at.bind(("127.0.0.1", 0))
        config = uvicorn.Config(serving.build(serving.Reader()), ws="none", access_log=False, log_config=None)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[at])))
        thread.start()
        try:
            yield f"http://127.0.0.1:{at.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


class Shop:
    """A product that has got a webhook with a large answer. configured: again, with other settings of `[links]`."""

    def __init__(self, service: Service, secrets: Path, url: str, webhook: dict[str, Any]) -> None:
        self.service, self._secrets, self._url, self._webhook = service, secrets, url, webhook
        self.http = httpx2.Client(verify=False)

    def configure(self, **more: Any) -> None:
        links = {"url": self._url, "secrets": f"file:{self._secrets}"}
        self.service.configure(webhooks={"shop": self._webhook}, links=links, **more)

    def replace_secrets(self, *secrets: str) -> None:
        self._secrets.write_text(" ".join(secrets))

    def get(self, url: str) -> tuple[int, dict[str, Any]]:
        answer = self.http.get(url)
        return answer.status_code, answer.json()


@pytest.fixture
def shop(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Shop, Any]]:
    """The product, and its endpoint."""
    monkeypatch.setenv("OVERNIGHT_SHOP_SECRET", SECRET)
    secrets = tmp_path / "links.secret"
    secrets.write_text(new_secret())
    with listening() as endpoint, served() as url:
        shop = Shop(service, secrets, url, endpoint.settings())
        shop.configure()
        yield shop, endpoint
        shop.http.close()


def large(service: Service, endpoint: Any, **more: Any) -> dict[str, Any]:
    """The outcome of an item whose answer is large, as its webhook has it."""
    service.answered(item("a", callback={"webhook": "shop"}, **more))
    ((number, answer),) = service.ledger.answers().items()
    longer = json.dumps(json.loads(answer) | {"pad": "x" * 300_000})
    service.ledger.execute("UPDATE outcome SET message = %s WHERE item_id = %s", longer, number)
    assert webhooks() == "1 delivered"
    (outcome,) = endpoint.came[-1].outcomes
    return dict(outcome)


def test_the_link_has_the_whole_outcome_and_needs_nothing_else(service: Service, shop: tuple[Shop, Any]) -> None:
    product, endpoint = shop
    outcome = large(service, endpoint)
    assert (outcome["message"], outcome["claim"]["bytes"] > 300_000) == (None, True)
    until = datetime.fromisoformat(outcome["claim"]["until"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < until <= timedelta(hours=1)
    answer = product.http.get(outcome["claim"]["url"])
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    whole = answer.json()
    assert len(whole["message"]["pad"]) == 300_000
    same = {name: value for name, value in outcome.items() if name not in ("message", "claim")}
    assert {name: whole[name] for name in same} == same


def test_a_small_answer_has_no_link(service: Service, shop: tuple[Shop, Any]) -> None:
    service.answered(item("a", callback={"webhook": "shop"}))
    webhooks()
    ((outcome,),) = [came.outcomes for came in shop[1].came]
    assert "claim" not in outcome


def test_a_link_that_was_changed_anywhere_is_forbidden_and_says_nothing(
    service: Service, shop: tuple[Shop, Any]
) -> None:
    product, endpoint = shop
    url = large(service, endpoint)["claim"]["url"]
    start, _, made = url.rpartition("/")
    changed = [made[:at] + ("A" if made[at] != "A" else "E") + made[at + 1 :] for at in (0, 20, 40, 63)]
    # of the last character two bits count
    changed += [made[:-1] + last for last in "ABCDEFGQgw0189-_" if last != made[-1]]
    for wrong in (*changed, made[:-1], made + "A", made + "==", "x", "%2e%2e", "é" * 86):
        status, said = product.get(f"{start}/{wrong}")
        assert (status, list(said)) == (403, ["error"])


def test_nothing_is_listed_and_nothing_else_is_served(service: Service, shop: tuple[Shop, Any]) -> None:
    product, endpoint = shop
    url = large(service, endpoint)["claim"]["url"]
    base = url.partition("/answers/")[0]
    for path in ("/", "/answers", "/answers/", "/items", "/docs", "/metrics"):
        assert product.http.get(base + path).status_code == 404
    assert product.http.post(url).status_code == 405
    assert product.http.get(f"{base}/health").text == "ok\n"


def test_a_link_whose_time_is_over_is_gone(service: Service, shop: tuple[Shop, Any], tmp_path: Path) -> None:
    product, endpoint = shop
    outcome = large(service, endpoint)
    item_id = min(service.ledger.answers())
    (secret,) = read_secrets((tmp_path / "links.secret").read_text())
    over = Named(item_id, UUID(outcome["item_id"]), datetime.now(UTC) - timedelta(seconds=1))
    status, said = product.get(outcome["claim"]["url"].rpartition("/")[0] + "/" + token.make(secret, over))
    assert status == 410
    assert "`overnight.outcome`" in said["error"]


def test_a_link_to_another_item_of_that_number_leads_nowhere(
    service: Service, shop: tuple[Shop, Any], tmp_path: Path
) -> None:
    product, endpoint = shop
    outcome = large(service, endpoint)
    (secret,) = read_secrets((tmp_path / "links.secret").read_text())
    later = datetime.now(UTC) + timedelta(hours=1)
    for item_id, receipt in ((min(service.ledger.answers()), uuid4()), (10**9, uuid4())):
        made = token.make(secret, Named(item_id, receipt, later))
        status, said = product.get(outcome["claim"]["url"].rpartition("/")[0] + "/" + made)
        assert (status, said) == (404, {"error": "the ledger has no such outcome any more"})


def test_what_was_purged_is_not_there_any_more(service: Service, shop: tuple[Shop, Any]) -> None:
    product, endpoint = shop
    url = large(service, endpoint, tenant="acme")["claim"]["url"]
    read_command(app, "purge", "--tenant", "acme", "--yes")
    status, said = product.get(url)
    assert (status, said) == (404, {"error": "its answer isn't kept any more"})


def test_without_the_key_that_it_is_encrypted_by_it_has_to_wait(
    service: Service, shop: tuple[Shop, Any], tmp_path: Path
) -> None:
    product, _ = shop
    keys = tmp_path / "keys"
    keys.write_text(new_key())
    product.configure(lane={"encrypt": "main"}, encryption={"main": {"keys": f"file:{keys}"}})
    service.answered(item("a", callback={"webhook": "shop"}))
    (due,) = service.ledger.fetch_all("SELECT item_id, receipt FROM request")
    url = settings().links.url + "/answers/"
    (secret,) = read_secrets((tmp_path / "links.secret").read_text())
    url += token.make(secret, Named(due["item_id"], due["receipt"], datetime.now(UTC) + timedelta(hours=1)))
    status, whole = product.get(url)
    assert (status, whole["message"]["role"]) == (200, "assistant")
    keys.write_text(new_key())
    held.close()
    answer = product.http.get(url)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert answer.json() == {"error": "its answer can't be read at the moment"}


def test_a_secret_is_replaced_without_a_link_that_breaks(service: Service, shop: tuple[Shop, Any]) -> None:
    product, endpoint = shop
    first, second = new_secret(), new_secret()
    product.replace_secrets(first)
    url = large(service, endpoint)["claim"]["url"]
    product.replace_secrets(second, first)
    assert product.get(url)[0] == 200
    product.replace_secrets(second)
    assert product.get(url)[0] == 403


def test_without_the_secret_the_webhook_comes_with_its_claim_alone(
    service: Service, shop: tuple[Shop, Any], tmp_path: Path
) -> None:
    product, endpoint = shop
    (tmp_path / "links.secret").unlink()
    product.configure()
    assert set(large(service, endpoint)["claim"]) == {"bytes"}


def test_no_log_has_a_token(service: Service, shop: tuple[Shop, Any], capsys: pytest.CaptureFixture[str]) -> None:
    product, endpoint = shop
    url = large(service, endpoint)["claim"]["url"]
    product.get(url)
    said = "".join(capsys.readouterr())
    assert "answer asked for" in said
    assert url.rpartition("/")[2] not in said


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node here: apt-get install nodejs")
def test_a_client_in_node_reads_it(service: Service, shop: tuple[Shop, Any]) -> None:
    _, endpoint = shop
    outcome = large(service, endpoint)
    script = f"""
        import {{ claimed }} from "{OVERNIGHT_MJS}";
        const whole = await claimed(JSON.parse(process.argv[1]));
        console.log(whole.message.pad.length, whole.key);
        const wrong = {{ claim: {{ url: "{outcome["claim"]["url"]}A" }} }};
        await claimed(wrong).catch((error) => console.log(error.message));
    """
    argv = ["node", "--input-type=module", "-e", script, json.dumps(outcome)]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert re.split(r"\n", said) == ["300000 a", "HTTP 403: it isn't a link of this installation, or was changed", ""]
