"""One item alone in a lane that sends at once: Overnight's own time to the create, and from the end to the callback.

python -m tests.benchmarks.one_item [--times 100] [--json FILE]

The default timing. Each item goes when the one before is done, after a pause of up to two seconds, so that sweeps and
polls of the beat get into its way as they would. The times of the API's calls are the sandbox's own.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Annotated, Final

import redis
import typer

from overnight_producers import Overnight
from tests.benchmarks.bars import Bar, quantiles, report
from tests.benchmarks.callbacks import Arrived, arriving
from tests.benchmarks.calls import Call, read_calls
from tests.benchmarks.service import running
from tests.benchmarks.work import DONE, params

CONFIG: Final = """
[lanes.default]
max_wait = "0s"

[brokers.shop]
url = "{redis_url}"
"""
SANDBOX: Final = ("--instant", "--verbose")
MOST_MS: Final = 300
WITHIN_S: Final = 60
_CREATE: Final = "POST /v1/messages/batches"
_LIST: Final = "GET /v1/messages/batches"


def main(
    times: Annotated[int, typer.Option(help="How often.")] = 100,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Send one item alone, again and again."""
    drawn = random.Random(1)
    sent_at: list[float] = []
    arrived: list[Arrived] = []
    with running(CONFIG, sandbox=SANDBOX) as service:
        product = redis.Redis.from_url(service.redis_url)
        overnight = Overnight(service.redis_url)
        for number in range(times):
            time.sleep(drawn.uniform(0, 2))  # so that it meets the beat anywhere between two ticks
            sent_at.append(time.time())
            overnight.enqueue(params(number), callback=DONE)
            arrived += arriving(product, 1, within_s=WITHIN_S)
        calls = read_calls(service)
    to_create, to_callback = [], []
    for began_at, callback in zip(sent_at, arrived, strict=True):
        create = _first(calls, _CREATE, after=began_at)
        ended = _first(calls, _LIST, after=create.answered_at)
        to_create.append(1000 * (create.arrived_at - began_at))
        to_callback.append(1000 * (callback.at - ended.answered_at))
    figures = {"to_create_ms": quantiles(to_create), "to_callback_ms": quantiles(to_callback)}
    names = {"to_create_ms": "from enqueue to the create", "to_callback_ms": "from the list that shows its end"}
    bars = [
        Bar(f"{names[way]}, {name}", round(ms), MOST_MS, "ms")
        for way, measured in figures.items()
        for name, ms in measured.items()
    ]
    report(
        bars, {"times": times, **figures, "all_to_create_ms": to_create, "all_to_callback_ms": to_callback}, json_file
    )


def _first(calls: list[Call], name: str, *, after: float) -> Call:
    return next(call for call in calls if call.name == name and call.answered_at > after)


if __name__ == "__main__":
    typer.run(main)
