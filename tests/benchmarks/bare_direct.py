"""The bare script in real time: the async SDK, a semaphore, a file. It keeps nothing of what it has begun.

python -m tests.benchmarks.bare_direct ITEMS CALLS FILE      # ANTHROPIC_BASE_URL names the API
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from pathlib import Path

import anthropic
import httpx2

from tests.benchmarks.work import params


async def main(items: int, calls: int, file: Path) -> None:
    """So many calls at once; prints seconds, CPU seconds, peak MB, and the calls' median and 95th in ms."""
    client = anthropic.AsyncAnthropic(
        max_retries=0, http_client=anthropic.DefaultAsyncHttpxClient(limits=_limits(calls))
    )
    room = asyncio.Semaphore(calls)
    took: list[float] = []
    began, used = time.monotonic(), time.process_time()
    with file.open("w") as out:

        async def ask(number: int) -> None:
            async with room:
                begun = time.monotonic()
                message = await client.messages.create(**params(number))
                took.append(time.monotonic() - begun)
                out.write(message.to_json(indent=None) + "\n")

        await asyncio.gather(*(ask(number) for number in range(items)))
    seconds, cpu_s = time.monotonic() - began, time.process_time() - used
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took.sort()
    print(seconds, cpu_s, peak_mb, 1000 * took[len(took) // 2], 1000 * took[len(took) * 95 // 100])


def _limits(calls: int) -> httpx2.Limits:
    return httpx2.Limits(max_connections=calls, max_keepalive_connections=calls)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
