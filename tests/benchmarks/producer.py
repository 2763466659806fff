"""A product's process: hands over so many items, and has nothing but the base install's imports.

python -m tests.benchmarks.producer ITEMS REDIS_URL [FIRST]    # prints when it began, seconds, CPU seconds, peak MB
"""

from __future__ import annotations

import resource
import sys
import time

from overnight_producers import Overnight
from tests.benchmarks.work import item


def main(items: int, redis_url: str, first: int = 0) -> None:
    """Enqueue them all, in one call. first: the number of the first."""
    overnight = Overnight(redis_url)
    began_at, began, used = time.time(), time.monotonic(), time.process_time()
    overnight.enqueue_many((item(number) for number in range(first, first + items)), run="bench")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(began_at, time.monotonic() - began, time.process_time() - used, peak_mb)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
