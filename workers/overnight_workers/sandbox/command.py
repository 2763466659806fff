"""The command line of the sandbox: `overnight sandbox`, and `python -m overnight_workers.sandbox`."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from overnight_models.money.rate_limits import Tier

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def sandbox(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8900,
    data_dir: Annotated[
        Path | None,
        typer.Option(
            help="Where batches, meter and clock are kept, to go on after a restart; a new temporary one if not given."
        ),
    ] = None,
    turnaround: Annotated[
        str, typer.Option(help="How long a batch takes, half of them less: 500ms, 20s, 5m, 2h. On the sandbox's clock.")
    ] = "20s",
    speed: Annotated[float, typer.Option(help="How many times faster than ours the sandbox's clock runs.")] = 1.0,
    clock_offset: Annotated[
        str, typer.Option(help="How far its clock is ahead of ours at its first start: 7m; behind: -7m.")
    ] = "0s",
    instant: Annotated[bool, typer.Option("--instant", help="Batches end as soon as they are created.")] = False,
    seed: Annotated[int, typer.Option(help="Other seed, other answers, turnarounds and accidents.")] = 0,
    faults: Annotated[
        str | None,
        typer.Option(
            help='What shall go wrong: JSON, or a file of it. Example: [{"at": "create", "do": "status", '
            '"status": 529, "rate": 0.1}]. All of it: see above'
        ),
    ] = None,
    hit_rate: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of cache hits among requests of the batch that writes the prefix."),
    ] = 0.6,
    warm_hit_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Share of cache hits on a prefix written before.")
    ] = 0.95,
    answer_bytes: Annotated[int, typer.Option(min=1, help="Size of a free-text answer, more or less.")] = 400,
    queue_limit: Annotated[int, typer.Option(help="Requests in processing before a create is answered with 429.")] = (
        500_000
    ),
    tier: Annotated[
        Tier | None,
        typer.Option(
            help="Keep to this tier's limits of /v1/messages: requests, input and output tokens a minute, by workspace"
            " and pool of models, shown in headers and at /sandbox/limits. Without: 10,000 requests, any tokens.",
        ),
    ] = None,
    messages_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Calls of /v1/messages a minute before one is answered with 429.")
    ] = None,
    input_tokens_per_minute: Annotated[
        int | None, typer.Option(min=1, help="Tokens of prompts a minute, those read from the cache not counted.")
    ] = None,
    output_tokens_per_minute: Annotated[int | None, typer.Option(min=1, help="Tokens of answers a minute.")] = None,
    counts_per_minute: Annotated[
        int, typer.Option(min=1, help="Calls of count_tokens a minute before one is answered with 429.")
    ] = 8_000,
    latency: Annotated[str, typer.Option(help="How long a call of /v1/messages takes, in real time.")] = "0s",
    latency_spread: Annotated[
        float,
        typer.Option(min=0, help="How much that differs: half of the calls take less; the sigma of a log-normal."),
    ] = 0.0,
    prices: Annotated[Path | None, typer.Option(help="A price file that overlays the shipped one.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Log every call.")] = False,
) -> None:
    """Run a stand-in for the Anthropic API: no key, no cost, made-up answers that say so.

    Point a client at it with ANTHROPIC_BASE_URL and any API key; a key sk-sandbox-NAME has a workspace of its
    own. Its meter is at /sandbox/meter, and faults can be set while it runs at /sandbox/faults; all of them:

    pydoc overnight_workers.sandbox.faults.faults
    """
    # Imported here: the command line must start without starlette, which only the sandbox needs.
    try:
        from overnight_workers.sandbox.faults.faults import FaultsInvalid
        from overnight_workers.sandbox.http.server import run
        from overnight_workers.sandbox.options import Options
    except ModuleNotFoundError as error:
        raise typer.BadParameter(f"{error.name} is missing: pip install 'overnight[sandbox]'") from error

    given = data_dir or Path(tempfile.mkdtemp(prefix="overnight-sandbox-"))
    options = Options(
        data_dir=given,
        host=host,
        port=port,
        turnaround_s=seconds(turnaround),
        speed=speed,
        clock_offset_s=seconds(clock_offset.removeprefix("-")) * (-1 if clock_offset.startswith("-") else 1),
        instant=instant,
        seed=seed,
        faults=_faults(faults),
        hit_rate=hit_rate,
        warm_hit_rate=warm_hit_rate,
        answer_bytes=answer_bytes,
        queue_limit=queue_limit,
        tier=tier,
        messages_per_minute=messages_per_minute,
        input_tokens_per_minute=input_tokens_per_minute,
        output_tokens_per_minute=output_tokens_per_minute,
        counts_per_minute=counts_per_minute,
        latency_s=seconds(latency),
        latency_spread=latency_spread,
        prices=prices,
        verbose=verbose,
    )
    try:
        run(options)
    except FaultsInvalid as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from error


def seconds(text: str) -> float:
    """A duration such as `500ms`, `20s`, `5m`, `2h`, or a bare number of seconds."""
    duration = _DURATION.fullmatch(text.strip())
    if duration is None:
        raise typer.BadParameter(f"{text!r} is not a duration; use 500ms, 20s, 5m, 2h or 1d")
    return float(duration.group(1)) * _SECONDS[duration.group(2) or "s"]


def _faults(text: str | None) -> list[dict[str, object]] | None:
    if text is None:
        return None
    from overnight_workers.sandbox.faults.faults import FaultsInvalid, read_rules

    try:
        return read_rules(json.loads(text if text.lstrip()[:1] in ("[", "{") else Path(text).read_text("utf-8")))
    except (OSError, ValueError, FaultsInvalid) as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from error
