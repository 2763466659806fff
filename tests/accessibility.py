"""Every page of ours in Chromium, judged by axe-core and by the keyboard: `make axe`. Needs chromium, npm for axe-core.

    python -m tests.accessibility [--pictures DIRECTORY] [--page /now]

What is serious or critical is printed, and is a failure; of Flower's own navigation too, which our pages stand in. So
is a control that Tab doesn't come to or that doesn't show it, and a page that is wider than the window. Pages that
catalogs leave are among them, as files: tried, compared, problems, reports. `--pictures` keeps each page as PNG, to be
looked at.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

import psycopg

from overnight_workers.flower_tab.faults import OURS as OUR_FAULT
from tests.browser import Browser, running_browser
from tests.catalog_pages import write_pages
from tests.servers import copy_database, running_postgres, running_redis
from tests.stages.operators.crowded_rows import CROWDED
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
    "/items?state=held",
    "/items/1",
    "/items/999",
    "/problems",
    "/deliveries",
    "/money",
    "/runs",
    "/lanes",
    "/actions",
    "/act?name=redo&run=spring",
    "/act?name=redo",
    "/act?name=drain&lane=default",
    "/act?name=cap&of=lane&of_name=default&period=day",
)
_WIDTHS: Final = (1400, 420)
_THEMES: Final = ("light", "dark")
_GRAVE: Final = ("serious", "critical")
_JUDGE: Final = """
axe.run().then(found => JSON.stringify(found.violations.map(
    fault => [fault.impact, fault.id, fault.nodes.length, fault.nodes[0].html.slice(0, 160)])))
"""
_CONTROLS: Final = """
JSON.stringify([...(document.querySelector('.overnight') ?? document.body).querySelectorAll('a[href], button, select,'
    + ' input:not([type=hidden]), summary, [tabindex="0"]')]
    .filter(control => control.checkVisibility() && !control.disabled)
    .map((control, place) => { control.placeOfOurs = place; return control.outerHTML.slice(0, 120); }))
"""
_FOCUSED: Final = """
(() => { const at = document.activeElement; const look = getComputedStyle(at);
    return JSON.stringify([at.placeOfOurs ?? null, parseFloat(look.outlineWidth) > 0 && look.outlineStyle !== 'none'
        || look.boxShadow !== 'none', at.outerHTML.slice(0, 120)]); })()
"""
_SIDEWAYS: Final = """
JSON.stringify([...document.querySelectorAll('.overnight .scrolls')]
    .filter(box => box.scrollWidth > box.clientWidth).map(box => box.ariaLabel))
"""
_MOST_TABS: Final = 400


@dataclass(frozen=True)
class Site:
    """One Flower, on a ledger of its own."""

    name: str
    url: str


class View(NamedTuple):
    """A page as it is looked at."""

    site: Site
    path: str
    width: int
    theme: str


def main() -> int:
    """Start everything, look at each page in two widths and both themes. Returns how many grave faults there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="Keep each page there, as PNG.")
    parser.add_argument("--page", dest="pages", action="append", help="Only this page; may be said several times.")
    options = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="overnight-axe-")))
        directory.chmod(0o755)
        postgres = stack.enter_context(running_postgres())
        redis_url = stack.enter_context(running_redis(directory))
        sites = []
        for name, statements in {"few": PLANTED, "many": PLANTED + CROWDED, "none": "SELECT 1"}.items():
            database_url = copy_database(postgres.url)
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute(statements.encode())
            sites.append(_site(stack, directory, name, database_url, redis_url))
        sites.append(_site(stack, directory, "no_postgres", "postgresql://x@127.0.0.1:1/x", redis_url))
        subprocess.run(["npm", "install", "--silent", "--prefix", str(directory), "axe-core"], check=True)
        axe = (directory / "node_modules" / "axe-core" / "axe.min.js").read_text()
        views = list(_views(sites, options.pages or PAGES))
        if options.pages is None:
            files = [page.name for page in write_pages(_made(directory / "catalogs"))]
            views += _views([Site("catalog", f"file://{directory / 'catalogs'}/")], files)
        return asyncio.run(_look(views, directory / "browser", axe, options.pictures))


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _site(stack: ExitStack, directory: Path, name: str, database_url: str, redis_url: str) -> Site:
    roles = json.dumps({"operator": ["ann"], "reader_of_bodies": ["ann"]})
    servers = {"OVERNIGHT_REDIS_URL": redis_url, "OVERNIGHT_DATABASE_URL": database_url, "OVERNIGHT_ROLES": roles}
    flower = start(directory, OURS, ["--basic-auth=ann:secret,operator:secret"], servers)
    stack.callback(flower.process.wait)
    stack.callback(flower.process.terminate)
    wait_until(lambda: answers(flower))
    return Site(name, flower.url.replace("//", "//ann:secret@"))


async def _look(views: list[View], profile: Path, axe: str, pictures: Path | None) -> int:
    grave = 0
    async with running_browser(profile) as browser:
        for site, path, width, theme in views:
            await browser.open(site.url + path, width=width, theme=theme)
            faults = [*await _judged(browser, axe), *await _too_wide(browser, width), *await _failed(browser)]
            if theme == "light" and width == _WIDTHS[0]:
                faults += await _by_keyboard(browser)
            for fault in faults:
                print(f"{site.name} {path} {width} {theme}: {fault}")
            grave += len(faults)
            if pictures is not None:
                pictures.mkdir(parents=True, exist_ok=True)
                name = "".join(letter if letter.isalnum() else "-" for letter in path.strip("/"))
                await browser.picture(pictures / f"{site.name}-{name}-{width}-{theme}.png")
    print(f"{grave} grave faults in {len(views)} views: few rows, many and none, and without Postgres")
    return grave


def _views(sites: Iterable[Site], pages: Iterable[str]) -> Iterator[View]:
    for site, path, width, theme in product(sites, pages, _WIDTHS, _THEMES):
        yield View(site, path, width, theme)


async def _judged(browser: Browser, axe: str) -> list[str]:
    await browser.value(axe + "; true")
    faults = json.loads(await browser.value(_JUDGE))
    return [f"{impact} {rule} x{nodes}: {first}" for impact, rule, nodes, first in faults if impact in _GRAVE]


async def _failed(browser: Browser) -> list[str]:
    """A page that can't be shown by a fault of ours, or isn't ours at all, has nothing to be judged."""
    title = await browser.value("document.querySelector('.overnight .fault h1')?.textContent ?? ''")
    is_ours = await browser.value("document.querySelector('.overnight, main > h1') !== null")
    return [f"it says: {title}"] if title == OUR_FAULT.title else [] if is_ours else ["it isn't one of our pages"]


async def _too_wide(browser: Browser, width: int) -> list[str]:
    """A page scrolls down only, and so do its tables; in a narrow window they are cards."""
    wide = int(await browser.value("document.documentElement.scrollWidth"))
    faults = [f"it is {wide} pixels wide"] if wide > width else []
    return faults + [f"it scrolls sideways: {label}" for label in json.loads(await browser.value(_SIDEWAYS))]


async def _by_keyboard(browser: Browser) -> list[str]:
    """Every control that is seen comes with Tab, in the order of the page, and shows that it has the focus."""
    controls = json.loads(await browser.value(_CONTROLS))
    wanted = dict(enumerate(controls[:_MOST_TABS]))
    faults, last = [], -1
    for _ in range(len(wanted) + 100):
        if not wanted:
            break
        await browser.press("Tab")
        place, is_shown, control = json.loads(await browser.value(_FOCUSED))
        if place is None:
            continue
        if not is_shown:
            faults.append(f"the focus isn't seen: {control}")
        if int(place) < last:
            break
        last = int(place)
        wanted.pop(last, None)
    return [*faults, *(f"Tab doesn't come to it: {control}" for control in wanted.values())]


if __name__ == "__main__":
    sys.exit(min(main(), 1))
