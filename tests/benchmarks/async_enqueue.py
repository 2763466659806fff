"""What an `enqueue` costs in a request handler: AsyncOvernight beside Overnight in a pool of threads.

    python -m tests.benchmarks.async_enqueue

Fifty handlers run at once; each waits for 25 to 75 ms, as for its own database, and then enqueues. The time is that of
the enqueue alone. Then the same without the wait: how many a process enqueues in a second at most, and what of the
processor each takes.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from overnight_producers import AsyncOvernight, Overnight
from tests.servers import running_redis

AT_ONCE: Final = 50
PARAMS: Final = {
    "model": "claude-haiku-5-5",
    "max_tokens": 300,
    "messages": [{"role": "user", "content": "Describe this product for our shop. " * 20}],
}
Enqueue = Callable[[], Awaitable[object]]


async def measured(enqueue: Enqueue, *, think_s: float, rounds: int) -> tuple[list[float], float]:
    """Seconds that each enqueue took, and enqueues a second."""
    took: list[float] = []
    draw = random.Random(1)

    async def handler() -> None:
        for _ in range(rounds):
            if think_s:
                await asyncio.sleep(draw.uniform(think_s / 2, 1.5 * think_s))
            began = time.perf_counter()
            await enqueue()
            took.append(time.perf_counter() - began)

    await enqueue()
    began = time.perf_counter()
    await asyncio.gather(*(handler() for _ in range(AT_ONCE)))
    return took, len(took) / (time.perf_counter() - began)


async def report(name: str, enqueue: Enqueue, rounds: int) -> None:
    """Print both measures."""
    took, _ = await measured(enqueue, think_s=0.05, rounds=rounds)
    cuts = statistics.quantiles(took, n=100)
    began = time.process_time()
    all_at_once, rate = await measured(enqueue, think_s=0.0, rounds=rounds)
    each_ms = 1000 * (time.process_time() - began) / len(all_at_once)
    print(
        f"{name:28} median {1000 * cuts[49]:6.2f} ms   99th {1000 * cuts[98]:6.2f} ms   without waiting {rate:8,.0f}/s,"
        f" {each_ms:.2f} ms of the processor each"
    )


async def main(redis_url: str, rounds: int) -> None:
    """Both, one after the other."""
    async with AsyncOvernight(redis_url) as overnight:
        await report("AsyncOvernight", lambda: overnight.enqueue(PARAMS), rounds)
    with Overnight(redis_url) as blocking, ThreadPoolExecutor(AT_ONCE) as threads:
        loop = asyncio.get_running_loop()
        await report("Overnight in 50 threads", lambda: loop.run_in_executor(threads, blocking.enqueue, PARAMS), rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, running_redis(Path(place)) as url:
        asyncio.run(main(url, given.rounds))
