"""Every page of ours in Chromium, judged by axe-core: `make axe`. Needs chromium, and npm for axe-core.

    python -m tests.accessibility

What is serious or critical is printed, and is a failure; of Flower's own navigation too, which our pages stand in.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx2 as httpx
import psycopg
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.ports import free_port
from tests.servers import copy_database, running_postgres, running_redis
from tests.stages.operators.flowers import OURS, answers, start
from tests.stages.operators.planted_rows import PLANTED
from tests.waiting import wait_until

PAGES: Final = (
    "/now",
    "/batches",
    "/batches/1",
    "/batches/2",
    "/batches/3",
    "/items",
    "/items/1",
    "/items/999",
    "/deliveries",
    "/money",
    "/runs",
    "/lanes",
    "/actions",
    "/act?name=redo&run=spring",
)
_WIDTHS: Final = (1400, 420)
_GRAVE: Final = ("serious", "critical")
_JUDGE: Final = """
axe.run().then(found => JSON.stringify(found.violations.map(
    fault => [fault.impact, fault.id, fault.nodes.length, fault.nodes[0].html.slice(0, 160)])))
"""
_NUMBERS: Final = count(1)


def main() -> int:
    """Start everything, look at each page in two widths and both themes. Returns how many grave faults there are."""
    with ExitStack() as stack:
        where = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overnight-axe-")))
        where.chmod(0o755)
        postgres = stack.enter_context(running_postgres())
        redis_url = stack.enter_context(running_redis(where))
        url = copy_database(postgres.url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(PLANTED.encode())
        subprocess.run(["npm", "install", "--silent", "--prefix", str(where), "axe-core"], check=True)
        axe = (where / "node_modules" / "axe-core" / "axe.min.js").read_text()
        roles = json.dumps({"operator": ["ann"], "reader_of_bodies": ["ann"]})
        servers = {"OVERNIGHT_REDIS_URL": redis_url, "OVERNIGHT_DATABASE_URL": url, "OVERNIGHT_ROLES": roles}
        flower = start(where, OURS, ["--basic-auth=ann:secret,operator:secret"], servers)
        stack.callback(flower.process.wait)
        stack.callback(flower.process.terminate)
        wait_until(lambda: answers(flower), 60)
        port = free_port()
        browser = subprocess.Popen(
            [_chromium(), "--headless", "--no-sandbox", "--disable-gpu", f"--remote-debugging-port={port}",
             f"--user-data-dir={where / 'browser'}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        stack.callback(browser.wait)
        stack.callback(browser.kill)
        wait_until(lambda: _target(port) is not None, 30)
        target = _target(port)
        assert target is not None
        return asyncio.run(_judge(target, flower.url.replace("//", "//ann:secret@"), axe))


def _chromium() -> str:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert browser, "there is no chromium"
    return browser


def _target(port: int) -> str | None:
    """Where a page of the browser is debugged; None when it isn't up yet."""
    try:
        pages = [one for one in httpx.get(f"http://127.0.0.1:{port}/json").json() if one["type"] == "page"]
    except httpx.TransportError:
        return None
    return str(pages[0]["webSocketDebuggerUrl"]) if pages else None


async def _judge(target: str, base: str, axe: str) -> int:
    browser = await websocket_connect(target, max_message_size=50_000_000)
    await _call(browser, "Page.enable")
    grave = 0
    for path in PAGES:
        for width in _WIDTHS:
            for theme in ("light", "dark"):
                metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
                await _call(browser, "Emulation.setDeviceMetricsOverride", **metrics)
                features = [{"name": "prefers-color-scheme", "value": theme}]
                await _call(browser, "Emulation.setEmulatedMedia", features=features)
                await _call(browser, "Page.navigate", url=base + path)
                await asyncio.sleep(0.7)
                await _call(browser, "Runtime.evaluate", expression=axe)
                said = await _call(browser, "Runtime.evaluate", expression=_JUDGE, awaitPromise=True)
                for impact, rule, nodes, first in json.loads(said["result"]["value"]):
                    is_grave = impact in _GRAVE
                    grave += is_grave
                    print(f"{path} {width} {theme}: {impact} {rule} x{nodes}: {first if is_grave else ''}")
    print(f"{grave} grave faults on {len(PAGES)} pages")
    return grave


async def _call(browser: WebSocketClientConnection, method: str, **params: Any) -> dict[str, Any]:
    """A command of the debugging protocol, and its answer; events in between are passed over."""
    number = next(_NUMBERS)
    await browser.write_message(json.dumps({"id": number, "method": method, "params": params}))
    while True:
        message = await browser.read_message()
        assert message is not None, "the browser went away"
        answer = json.loads(message)
        if answer.get("id") == number:
            assert "error" not in answer, answer
            result: dict[str, Any] = answer["result"]
            return result


if __name__ == "__main__":
    sys.exit(min(main(), 1))
