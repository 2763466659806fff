"""The limiter: how long it takes, how much it takes, and whether the limit is held and used.

    python -m tests.benchmarks.limiter [speed] [hold] [restart] [--seconds 600] [--json FILE]

speed    acquire and refund of three buckets, alone and from four processes
hold     eight worker processes that always have more to send: the worst minute, and how much of the limit is used
restart  the same, and Redis is killed and started again, empty, in the middle

Real time, and a Redis of its own. What was sent counts at the moment that its grant names, by one clock for all.
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from collections import deque
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from overnight_models.wire.redis_client import redis_client
from overnight_models.wire.redis_place import read_redis_url
from overnight_workers.limiter import Grant, Limiter, Need, Used
from overnight_workers.limiter.limits import PoolLimits
from tests.benchmarks.bars import Bar, quantiles, report
from tests.faults.redis_servers import Server

MODEL: Final = "claude-sonnet-5"
LIMITS: Final = (10_000, 10_000_000, 2_000_000)
"""Of the tier `scale`; a request takes as much of the tokens that they are used up first."""
NEED, USED = Need(1_500, 400), Used(1_500, 300)
WORKERS: Final = 8
AHEAD_S: Final = 1.0
_RAMP_S: Final = 10.0


def limiter(url: str) -> Limiter:
    """A worker's."""
    client = redis_client(read_redis_url(url), timeout_s=2, connect_timeout_s=2)
    return Limiter(client, lambda workspace, model: PoolLimits(LIMITS, (False,) * 3))


def alone(url: str, calls: int = 5000) -> dict[str, float]:
    """The times of a pair of calls, nobody else asking; every one is let through and settled."""
    limiter_ = Limiter(
        redis_client(read_redis_url(url), timeout_s=2, connect_timeout_s=2),
        lambda workspace, model: PoolLimits((10**9, 10**12, 10**12), (False,) * 3),
    )
    need, took = Need(1000, 300), []
    for _ in range(calls):
        begun = time.perf_counter()
        (answer,) = limiter_.acquire("alone", MODEL, [need])
        assert isinstance(answer, Grant)
        limiter_.settle([(answer, None)])
        took.append(time.perf_counter() - begun)
    return quantiles(took)


def _crowd(url: str, at_once: int, seconds: float, begin: Barrier, result: Connection) -> None:
    limiter_ = Limiter(
        redis_client(read_redis_url(url), timeout_s=2, connect_timeout_s=2),
        lambda workspace, model: PoolLimits((10**9, 10**12, 10**12), (False,) * 3),
    )
    begin.wait()
    done, stop_at = 0, time.monotonic() + seconds
    needs = [Need(1000, 300)] * at_once
    while time.monotonic() < stop_at:
        grants = [answer for answer in limiter_.acquire("crowd", MODEL, needs) if isinstance(answer, Grant)]
        limiter_.settle([(grant, Used(1000, 200)) for grant in grants])
        done += len(grants)
    result.send(done / seconds)


def together(url: str, at_once: int, processes: int = 4, seconds: float = 10.0) -> float:
    """Requests a second that four processes let through and settle, so many in a call."""
    return float(sum(_each(processes, _crowd, url, at_once, seconds)))


def _worker(url: str, seconds: float, begin: Barrier, result: Connection) -> None:
    """Send as much as may be, each answered within 2 seconds; tell when how much was used."""
    limiter_, sent = limiter(url), list[tuple[float, int]]()
    running: deque[tuple[float, Grant]] = deque()
    begin.wait()
    stop_at = time.monotonic() + seconds
    while (now := time.monotonic()) < stop_at:
        done = []
        while running and running[0][0] <= now:
            done.append((running.popleft()[1], USED))
        limiter_.settle(done)
        answers = limiter_.acquire("hold", MODEL, [NEED] * 20, ahead_s=AHEAD_S)
        now = time.monotonic()
        for answer in answers:
            if isinstance(answer, Grant):
                sent.append((now + answer.starts_in_s, 1))
                running.append((now + answer.starts_in_s + 1.0, answer))
        time.sleep(0.1)
    result.send(sent)


def held(url: str, seconds: float, meanwhile: Any = None) -> dict[str, Any]:
    """The worst minute and the share of the limit that is used, by requests, input tokens, output tokens."""
    sent = sorted(moment for each in _each(WORKERS, _worker, url, seconds, meanwhile=meanwhile) for moment, _ in each)
    costs = (1, USED.input_tokens, USED.output_tokens)
    window: deque[float] = deque()
    worst = 0
    for moment in sent:
        while window and window[0] <= moment - 60:
            window.popleft()
        window.append(moment)
        worst = max(worst, len(window))
    steady = [moment for moment in sent if moment > sent[0] + _RAMP_S]
    per_minute = len(steady) / (steady[-1] - steady[0]) * 60
    return {
        "seconds": seconds,
        "sent": len(sent),
        "worst_minute": max(worst * cost / limit for cost, limit in zip(costs, LIMITS, strict=True)),
        "used": max(per_minute * cost / limit for cost, limit in zip(costs, LIMITS, strict=True)),
    }


def _each(processes: int, work: Any, *args: Any, meanwhile: Any = None) -> list[Any]:
    """What each of some processes found out."""
    context = multiprocessing.get_context("spawn")
    # importing takes longer than some of the measurements
    begin, pipes, started = context.Barrier(processes), [], []
    for _ in range(processes):
        ours, theirs = context.Pipe()
        process = context.Process(target=work, args=(*args, begin, theirs))
        process.start()
        pipes.append(ours)
        started.append(process)
    if meanwhile is not None:
        meanwhile()
    reports = [pipe.recv() for pipe in pipes]
    for process in started:
        process.join()
    return reports


def main(
    what: Annotated[
        list[str] | None, typer.Argument(help="speed, hold, restart; all of them when none is named.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long the limit is held.")] = 600,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures there.")] = None,
) -> None:
    """Measure, and show it beside the bars."""
    wanted = what or ["speed", "hold", "restart"]
    bars: list[Bar] = []
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        server = Server(Path(place) / "redis").start().wait()
        try:
            if "speed" in wanted:
                figures["alone_s"], figures["per_s"] = alone(server.url), together(server.url, 1)
                figures["per_s_20_at_once"] = together(server.url, 20)
                bars += [
                    Bar("acquire and refund, alone, median", figures["alone_s"]["p50"] * 1000, 1.0, "ms"),
                    Bar("time of one, from four processes", 1e6 / figures["per_s"], 200, "us"),
                    Bar("… 20 in a call", 1e6 / figures["per_s_20_at_once"], 200, "us"),
                ]
            if "hold" in wanted:
                figures["hold"] = held(server.url, seconds)
                bars += _bars("", figures["hold"], 0.97)
            if "restart" in wanted:
                figures["restart"] = held(server.url, max(seconds / 2, 150), lambda: _restart(server, seconds / 4))
                bars += _bars("Redis restarted: ", figures["restart"], 0.9)
        finally:
            server.stop()
    report(bars, figures, json_file)
    print(json.dumps(figures, indent=2))


def _restart(server: Server, after_s: float) -> None:
    time.sleep(after_s)
    server.stop()
    time.sleep(5)
    server.start().wait()


def _bars(which: str, figures: dict[str, Any], least: float) -> list[Bar]:
    return [
        Bar(f"{which}worst minute", 100 * figures["worst_minute"], 100, "% of the limit"),
        Bar(f"{which}not used", 100 - 100 * figures["used"], 100 - 100 * least, "% of the limit"),
    ]


if __name__ == "__main__":
    typer.run(main)
