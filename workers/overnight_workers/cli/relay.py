"""`overnight relay`: what products enqueued in their own transactions goes on to the ledger."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from overnight_models.errors import BadSettings
from overnight_workers.cli.console import say

if TYPE_CHECKING:
    from overnight_workers.configuration.relay_settings import RelaySettings


def relay(
    name: Annotated[str, typer.Argument(help="The relay, as in `[relays.NAME]`. [default: the only one]")] = "",
) -> None:
    """Take on, for as long as it runs, what lies in the inbox of a product's database.

    Needs `[relays.NAME]` of the workers' configuration, and reaches the ledger as they do. Any number may run, also of
    the same relay. Ctrl-C or SIGTERM ends it after the turn that has begun; killed, it leaves nothing behind.
    """
    from overnight_workers.relay.relay import Relay
    from overnight_workers.telemetry import logs

    name, settings_of = chosen(name)
    logs.configure()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    taking = Relay(name, settings_of)
    say(f"relay {name}: takes on {settings_of.inbox}; Ctrl-C ends it")
    try:
        taking.run(stop, say)
    finally:
        taking.close()
    say(f"relay {name}: ended")


def chosen(name: str) -> tuple[str, RelaySettings]:
    """A relay by its name, or the only one there is. Raises BadSettings."""
    from overnight_workers.settings import settings

    relays = settings().relays
    settings().require_urls()
    if not relays:
        raise BadSettings(["there is no [relays.NAME] with the `database_url` of a product"])
    if not name and len(relays) == 1:
        name = next(iter(relays))
    if name not in relays:
        which = f"there is no [relays.{name}]" if name else "which relay?"
        raise BadSettings([f"{which}: the configuration has {', '.join(sorted(relays))}"])
    return name, relays[name]
