"""The recipes of the producers' page, as they stand there: a request handler enqueues, and the outcome comes back."""

from __future__ import annotations

import http.client
import json
import re
import sys
import threading
import wsgiref.simple_server
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
import pytest
import uvicorn

from overnight_models.wire.signature import new_secret
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.webhooks.webhooks import webhooks
from tests.driving import Service, params, text_of
from tests.stages.product.conftest import take_in
from tests.waiting import wait_until

README = Path(__file__).parents[3] / "producers" / "README.md"
SECRET = new_secret()
TOKEN = "a" * 32
BY_THE_SHOP = {"cookie": f"csrftoken={TOKEN}", "x-csrftoken": TOKEN}
"""What Django asks of a page of its own, and others pass over."""


class Shop(NamedTuple):
    """A recipe, listening."""

    module: ModuleType
    port: int

    def post(self, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        """Status and body of its answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", path, body, dict(headers or {}))
        response = connection.getresponse()
        answer = (response.status, response.read())
        connection.close()
        return answer

    def order(self, sku: str) -> str:
        """Have a text written; the receipt's id."""
        status, answer = self.post(f"/copy/{sku}?{urlencode({'text': text_of(sku)})}", headers=BY_THE_SHOP)
        assert status == 202, answer
        item_id: str = json.loads(answer)["item"]
        return item_id


@cache
def module_of(name: str) -> ModuleType:
    """The recipe, run; once, since Celery and Django know their names for as long as their process lives."""
    (code,) = re.findall(rf"```python {name}\n(.*?)```", README.read_text(), re.DOTALL)
    module = ModuleType(f"recipe_{name}")
    sys.modules[module.__name__] = module
    exec(compile(code, f"{README.name}: {name}", "exec"), module.__dict__)
    return module


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name for it
        """Nothing."""


@contextmanager
def wsgi(app: Any) -> Iterator[int]:
    """An app of Flask's or Django's; its port."""
    with wsgiref.simple_server.make_server("127.0.0.1", 0, app, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def asgi(app: Any) -> Iterator[int]:
    """An app of FastAPI's; its port."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, what=lambda: "uvicorn")
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()


@contextmanager
def django(module: ModuleType) -> Iterator[int]:
    """Django with the recipe's urls, as a project has them: with its protection from forged requests."""
    from django.core.handlers.wsgi import WSGIHandler
    from django.test import override_settings

    from tests.stages.outbox.django_shop import configure

    configure()
    own = {"ROOT_URLCONF": module.__name__, "ALLOWED_HOSTS": ["*"], "DEBUG": False}
    with (
        override_settings(**own, MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"]),
        wsgi(WSGIHandler()) as port,
    ):
        yield port


SERVERS: dict[str, tuple[str, Callable[[ModuleType], Any]]] = {
    "fastapi": ("fastapi", lambda module: asgi(module.app)),
    "flask": ("flask", lambda module: wsgi(module.app)),
    "django": ("django.test", django),
}


@pytest.fixture
def shop(request: pytest.FixtureRequest, service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """The recipe of that name beside the service, which knows its endpoint as the webhook `shop`."""
    package, serving = SERVERS[request.param]
    pytest.importorskip(package, reason=f"no {package} here: uv sync --group frameworks")
    monkeypatch.setenv("SHOP_WEBHOOK_SECRETS", SECRET)
    module = module_of(request.param)
    monkeypatch.setattr(module, "copy", {})
    with ExitStack() as stack:
        port = stack.enter_context(serving(module))
        url = f"http://127.0.0.1:{port}/overnight"
        place = {"url": url, "secrets": ["env:SHOP_WEBHOOK_SECRETS"], "allow_private": ["127.0.0.0/8"]}
        service.configure(webhooks={"shop": place})
        stack.callback(module.overnight.close)
        yield Shop(module, port)


@pytest.mark.parametrize("shop", ["fastapi", "flask"], indirect=True)
def test_a_text_is_ordered_by_a_request_and_comes_back_by_a_webhook(service: Service, shop: Shop) -> None:
    receipts = [shop.order(sku) for sku in ("A1", "B2")]
    assert [verdict["accepted"] for verdict in take_in(service)] == [1, 1]
    service.round()
    assert webhooks() == "2 delivered"
    assert set(shop.module.copy) == {"A1", "B2"}
    assert all(text.startswith("Made-up") for text in shop.module.copy.values()), shop.module.copy
    assert {str(row["receipt"]) for row in service.ledger.fetch_all("SELECT receipt FROM request")} == set(receipts)


@pytest.mark.parametrize("shop", ["flask"], indirect=True)
def test_what_one_product_could_not_save_comes_again_alone(
    service: Service, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(dict[str, str]):
        def __setitem__(self, sku: str, text: str) -> None:
            if sku == "B2":
                raise OSError("the disk is full")
            super().__setitem__(sku, text)

    monkeypatch.setattr(shop.module, "copy", Full())
    for sku in ("A1", "B2"):
        shop.order(sku)
    take_in(service)
    service.round()
    webhooks()
    rows = service.ledger.fetch_all("SELECT state, error FROM every_delivery ORDER BY item_id")
    assert [row["state"] for row in rows] == ["delivered", "due"]
    assert "OSError" in rows[1]["error"]


@pytest.mark.parametrize("shop", ["django"], indirect=True)
def test_a_text_is_ordered_by_a_view_of_django_and_comes_back_to_its_task(service: Service, shop: Shop) -> None:
    shop.order("A1")
    assert [verdict["accepted"] for verdict in take_in(service)] == [1]
    service.round()
    deliver()
    (message,) = service.queue()
    assert message["headers"]["task"] == "shop.save_copy"
    arguments, named, _ = orjson.loads(message["body"])
    shop.module.save(*arguments, **named)
    assert shop.module.copy["A1"].startswith("Made-up")


@pytest.mark.parametrize("shop", ["django"], indirect=True)
def test_a_view_of_django_takes_a_webhook_although_it_has_no_token(service: Service, shop: Shop) -> None:
    arriving = {"webhook": "shop", "context": {"sku": "A1"}}
    service.answered(
        {"id": "3f5c2f7e-9a53-4d3e-8a53-b0c1d2e3f405", "key": "k", "params": params(), "callback": arriving}
    )
    assert webhooks() == "1 delivered"
    assert shop.module.copy["A1"].startswith("Made-up")


@pytest.mark.parametrize("shop", list(SERVERS), indirect=True)
def test_what_is_not_signed_is_turned_away_by_each(shop: Shop) -> None:
    status, _ = shop.post("/overnight", b'{"data": []}', {"webhook-id": "a", "content-type": "application/json"})
    assert status == 401
    assert shop.module.copy == {}
