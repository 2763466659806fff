"""`overnight doctor` and `overnight health`: what is wrong, and what to do about it; probes, by their exit codes."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def doctor(as_json: Json = False) -> None:
    """Check settings, database, schema, Redis, policy, workers, keys, clock and alarms.

    Exits with 0 when nobody is needed, 1 when somebody is, and 2 when it can't be told from here: a server is away.
    """
    from overnight_workers.operators import checkup, checkup_page

    raise typer.Exit(checkup_page.report(checkup.doctor(), as_json=as_json))


def health(
    queue: Annotated[list[str], typer.Option(help="A queue that a worker of this host works on; may be given again.")],
    as_json: Json = False,
) -> None:
    """Whether this host has a worker that lives and takes work from each of these queues: a container's health check.

    Exits with 0 when it has, 1 when it hasn't, and 2 when it can't be told: Redis is away.
    """
    from overnight_workers.operators import checkup, checkup_page

    raise typer.Exit(checkup_page.report(checkup.health(queue), as_json=as_json))
