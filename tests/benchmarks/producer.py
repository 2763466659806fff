"""A product's process: hands over so many items, and has nothing but the base install's imports.

python -m tests.benchmarks.producer ITEMS REDIS_URL [FIRST [ENGLISH]]    # prints when it began, seconds, CPU s, peak MB
"""

from __future__ import annotations

import resource
import sys
import time

from overnight_producers import Overnight
from tests.benchmarks import english
from tests.benchmarks.work import item


def main(items: int, redis_url: str, first: int = 0, size: int = 0) -> None:
    """Enqueue them all, in one call. first: the number of the first; size: bytes of English each asks with, if any."""
    overnight = Overnight(redis_url)
    numbers = range(first, first + items)
    asked = (item(n, english.text(n, size)) if size else item(n) for n in numbers)
    if size:
        english.text(first, size)  # made before it is measured
    began_at, began, used = time.time(), time.monotonic(), time.process_time()
    overnight.enqueue_many(asked, run="bench")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(began_at, time.monotonic() - began, time.process_time() - used, peak_mb)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
