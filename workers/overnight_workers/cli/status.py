"""`overnight status`: what is where, and since when, lane by lane; and which command shows more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from overnight_workers.cli import console

if TYPE_CHECKING:
    from overnight_workers.operators.snapshot import Snapshot


def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Stay, and look again every second.")] = False,
) -> None:
    """Items, batches and deliveries by state, per lane, and how long the oldest item has waited."""
    from overnight_workers.operators import status_page

    if as_json:
        console.as_json(status_page.document(_seen()))
        return
    if not watch:
        console.OUT.print(status_page.styled(status_page.page(_seen())))
        return
    import time

    from rich.live import Live

    shown = status_page.styled(status_page.page(_seen()))
    with Live(shown, console=console.OUT, refresh_per_second=4) as live:
        while True:
            time.sleep(1)  # a page that is looked at, once a second
            live.update(status_page.styled(status_page.page(_seen())))


def _seen() -> Snapshot:
    from overnight_workers.operators.snapshot import take_snapshot
    from overnight_workers.process import database, redis_client

    return take_snapshot(database(), redis_client())
