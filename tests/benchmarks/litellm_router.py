"""LiteLLM's Router with its limits on, as a rival in real time. Run by the Python of an environment that has it.

python litellm_router.py ITEMS CALLS API_URL REDIS_URL     # prints seconds, CPU seconds, peak MB, and ms: median, 95th
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time

import litellm  # type: ignore[import-not-found,unused-ignore]

_PLENTY = 10**9
_TEXT = "word " * 170
_MODEL = "claude-haiku-5-5"


async def main(items: int, calls: int, api_url: str, redis_url: str) -> None:
    """So many calls at once, of a group with limits that are counted in Redis and never reached."""
    litellm.suppress_debug_info = True
    params = {"model": f"anthropic/{_MODEL}", "api_base": api_url, "api_key": "bench", "rpm": _PLENTY, "tpm": _PLENTY}
    router = litellm.Router(
        model_list=[{"model_name": _MODEL, "litellm_params": params}],
        routing_strategy="usage-based-routing-v2",
        redis_url=redis_url,
        num_retries=0,
        timeout=60,  # by default a call whose answer gets lost is waited for for 100 minutes
    )
    room = asyncio.Semaphore(calls)
    took: list[float] = []
    began, used = time.monotonic(), time.process_time()

    async def ask(number: int) -> None:
        async with room:
            begun = time.monotonic()
            content = f"Describe product {number}. {_TEXT}"
            await router.acompletion(model=_MODEL, max_tokens=1000, messages=[{"role": "user", "content": content}])
            took.append(time.monotonic() - begun)

    await asyncio.gather(*(ask(number) for number in range(items)))
    seconds, cpu_s = time.monotonic() - began, time.process_time() - used
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    took.sort()
    print(seconds, cpu_s, peak_mb, 1000 * took[len(took) // 2], 1000 * took[len(took) * 95 // 100])


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
