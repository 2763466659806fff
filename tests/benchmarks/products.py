"""Product processes that have one item at a time, all at once; nothing but the base install's imports.

python -m tests.benchmarks.products PROCESSES ITEMS_EACH REDIS_URL     # prints when the first began, all CPU seconds
"""

from __future__ import annotations

import os
import resource
import sys
import time

from overnight_producers import Overnight
from tests.benchmarks.work import item


def main(processes: int, each: int, redis_url: str) -> None:
    """Fork them, let them go at the same moment, and wait for them."""
    starting, start = os.pipe()
    for number in range(processes):
        if os.fork() == 0:
            os.close(start)
            os.read(starting, 1)  # ends when the parent closes the other end
            _enqueue(range(number * each, (number + 1) * each), redis_url)
            os._exit(0)
    began_at = time.time()
    os.close(start)
    for _ in range(processes):
        _, status = os.wait()
        assert status == 0, "a product failed"
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(began_at, used.ru_utime + used.ru_stime)


def _enqueue(numbers: range, redis_url: str) -> None:
    overnight = Overnight(redis_url)
    for number in numbers:
        wire_item = item(number)
        overnight.enqueue(wire_item.params, key=wire_item.key, callback=wire_item.callback)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
