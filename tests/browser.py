"""A Chromium without a window, driven by its debugging protocol: pages looked at, judged, typed at and pictured."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx2 as httpx
from tornado.websocket import WebSocketClientConnection, websocket_connect

from tests.ports import free_port
from tests.waiting import wait_until

_NUMBERS: Final = count(1)
_READY: Final = """
new Promise(done => document.readyState === 'complete' ? done(true) : addEventListener('load', () => done(true)))
"""
_KEYS: Final = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32}
_WITH_SHIFT: Final = 8


class PageLeft(Exception):
    """What was asked of a page isn't known any more: the browser left it meanwhile."""


class Browser:
    """One page of it."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self._socket = socket

    async def open(self, url: str, *, width: int, theme: str, height: int = 900) -> None:
        """Go there, in that width and with that theme, and wait until the page has loaded."""
        await self.resize(width, theme, height)
        await self._call("Page.navigate", url=url)
        assert await self.value(_READY)

    async def resize(self, width: int, theme: str, height: int = 900) -> None:
        """Show the page that is there in that width and with that theme."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self._call("Emulation.setDeviceMetricsOverride", **metrics)
        features = [{"name": "prefers-color-scheme", "value": theme}]
        await self._call("Emulation.setEmulatedMedia", features=features)

    async def value(self, expression: str) -> Any:
        """What an expression of JavaScript comes to; of a promise, what it is kept with. Raises PageLeft."""
        said = await self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    async def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key, and let it go."""
        text = {"Enter": "\r", " ": " "}.get(key, "")
        pressed = {
            "key": key,
            "windowsVirtualKeyCode": _KEYS[key],
            "modifiers": _WITH_SHIFT if shift else 0,
            "text": text,
        }
        await self._call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", **pressed)
        await self._call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    async def click(self, x: float, y: float, *, times: int = 1) -> None:
        """Press the mouse there, in pixels of the window; three times mark the words of a field."""
        for number in range(1, times + 1):
            pressed = {"x": x, "y": y, "button": "left", "clickCount": number}
            await self._call("Input.dispatchMouseEvent", type="mousePressed", **pressed)
            await self._call("Input.dispatchMouseEvent", type="mouseReleased", **pressed)

    async def write(self, text: str) -> None:
        """Type a text where the focus is, in place of what is marked there."""
        await self._call("Input.insertText", text=text)

    async def picture(self, file: Path) -> None:
        """Write the whole page there, as PNG."""
        shot = await self._call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))

    async def _call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the protocol, and its answer; events in between are passed over."""
        number = next(_NUMBERS)
        await self._socket.write_message(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = await self._socket.read_message()
            assert message is not None, "the browser went away"
            answer = json.loads(message)
            if answer.get("id") == number:
                if "navigated" in answer.get("error", {}).get("message", ""):
                    raise PageLeft
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result


@asynccontextmanager
async def running_browser(profile: Path) -> AsyncIterator[Browser]:
    """A browser with a profile of its own, which ends with the block."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert program, "there is no chromium"
    port = free_port()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--remote-debugging-port={port}"]
    process = subprocess.Popen(
        [program, *options, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: _target(port) is not None)
        target = _target(port)
        assert target is not None
        socket = await websocket_connect(target, max_message_size=50_000_000)
        browser = Browser(socket)
        await browser._call("Page.enable")
        yield browser
    finally:
        process.kill()
        process.wait()


def _target(port: int) -> str | None:
    """Where a page of the browser is debugged; None when it isn't up yet."""
    try:
        pages = [page for page in httpx.get(f"http://127.0.0.1:{port}/json").json() if page["type"] == "page"]
    except httpx.TransportError:
        return None
    return str(pages[0]["webSocketDebuggerUrl"]) if pages else None
