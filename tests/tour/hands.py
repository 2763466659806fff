"""A person before a browser, who presses what the page says, with the mouse or by the keyboard alone."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from tests.browser import Browser, PageLeft

By = Literal["mouse", "keyboard"]

_FIND: Final = """
((name, beside) => {
    const said = control => (control.ariaLabel || control.labels?.[0]?.innerText || control.innerText || '')
        .trim().replace(/\\s+/g, ' ');
    const around = control => control.closest('tr, li, .acts, section, form')?.innerText ?? '';
    const wanted = [...document.querySelectorAll('.overnight a[href], .overnight button, .overnight summary,'
        + ' .overnight input:not([type=hidden])')].filter(control => control.checkVisibility() && !control.disabled
        && said(control) === name && (beside === null || around(control).includes(beside)));
    window.wanted = wanted[0];
    return wanted.length;
})(%s, %s)
"""
_PLACE: Final = """
(() => {
    wanted.scrollIntoView({block: 'center', behavior: 'instant'});
    const box = wanted.getClientRects()[0], x = box.left + box.width / 2, y = box.top + box.height / 2;
    const top = document.elementFromPoint(x, y);
    return JSON.stringify([x, y, wanted === top || wanted.contains(top)]);
})()
"""
_AT: Final = "[window.wanted?.isConnected === true, document.activeElement === window.wanted]"
_LEAVE: Final = "window.leaves = true"
_ARRIVED: Final = "window.leaves === undefined && document.readyState === 'complete'"
_TEXT: Final = "document.querySelector('.overnight').innerText.replace(/\\s+/g, ' ')"
_MOST_TABS: Final = 1200
_LOOKS_EVERY_S: Final = 0.05


class Hands:
    """What a person does on the pages.

    by: with what it is pressed.
    """

    def __init__(self, browser: Browser, url: str, by: By, width: int, theme: str) -> None:
        self.browser, self.by, self.width, self.theme = browser, by, width, theme
        self._url = url
        self.keys = 0
        """How many were pressed so far."""
        self.clicks = 0

    async def open(self, path: str) -> str:
        """Go to a page by its address. Returns what it says."""
        await self.browser.open(self._url + path, width=self.width, theme=self.theme)
        return await self.text()

    async def text(self) -> str:
        """What the page says, single-spaced."""
        return str(await self.browser.value(_TEXT))

    async def has(self, name: str, beside: str | None = None) -> bool:
        """Whether there is a control of this name, in a row or a section that says `beside`."""
        return bool(await self.browser.value(_FIND % (json.dumps(name), json.dumps(beside))))

    async def press(self, name: str, beside: str | None = None) -> str:
        """Press a link or a button, and wait for the page to which it leads. Returns what that says."""
        await self.browser.value(_LEAVE)
        if await self._reach(name, beside):
            await self._key("Enter")
        await self.until(self._has_arrived, f"nothing comes after {name}")
        return await self.text()

    async def tick(self, name: str) -> None:
        """Tick a box."""
        if await self._reach(name, None):
            await self._key(" ")
        assert await self.browser.value("window.wanted.checked"), f"{name} isn't ticked"

    async def write(self, name: str, text: str) -> None:
        """Write into a field, in place of what stands there."""
        await self._reach(name, None, times=3)
        await self.browser.write(text)
        self.keys += len(text)
        assert await self.browser.value("window.wanted.value") == text

    async def until(self, condition: Callable[[], Awaitable[bool]], fault: str, timeout_s: float = 60.0) -> None:
        """Look until the condition is true. fault: what to say when the time is over."""
        deadline = time.monotonic() + timeout_s
        while not await _is_so(condition):
            assert time.monotonic() < deadline, f"{fault}: {await self.text()}"
            await asyncio.sleep(_LOOKS_EVERY_S)  # each look takes time of the browser that it waits for

    async def until_it_says(self, words: str, timeout_s: float = 60.0) -> str:
        """Look until the page says so; one that goes on shows it by itself. Returns what it says."""

        async def says() -> bool:
            return words in await self.text()

        await self.until(says, f"the page doesn't say {words!r}", timeout_s)
        return await self.text()

    async def _has_arrived(self) -> bool:
        return bool(await self.browser.value(_ARRIVED))

    async def _reach(self, name: str, beside: str | None, *, times: int = 1) -> bool:
        """Click it, or bring the focus to it. Returns whether a key has still to be pressed."""
        assert await self.has(name, beside), f"there is no {name!r} beside {beside!r}: {await self.text()}"
        if self.by == "mouse":
            x, y, is_on_top = json.loads(await self.browser.value(_PLACE))
            assert is_on_top, f"something lies over {name}"
            await self.browser.click(x, y, times=times)
            self.clicks += 1
            return False
        for _ in range(_MOST_TABS):
            await self._key("Tab")
            is_there, is_focused = await self.browser.value(_AT)
            if is_focused:
                return True
            if not is_there:  # the page has renewed itself meanwhile
                assert await self.has(name, beside), f"{name} is gone"
        raise AssertionError(f"Tab doesn't come to {name}")

    async def _key(self, key: str) -> None:
        await self.browser.press(key)
        self.keys += 1


async def _is_so(condition: Callable[[], Awaitable[bool]]) -> bool:
    """Between two pages nothing is."""
    try:
        return await condition()
    except PageLeft:
        return False
