"""The bare script: the SDK and nothing else. Build the requests, create, read the results, write a file.

python -m tests.benchmarks.bare ITEMS FILE      # ANTHROPIC_BASE_URL names the API
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Any

import anthropic

from tests.benchmarks.work import params


def main(items: int, file: Path) -> None:
    """Batches of 100,000 at most, one after the other; prints seconds, CPU seconds and peak megabytes."""
    client = anthropic.Anthropic()
    began, used = time.monotonic(), time.process_time()
    with file.open("w") as out:
        for first in range(0, items, 100_000):
            requests: Any = [
                {"custom_id": f"item-{number}", "params": params(number)}
                for number in range(first, min(first + 100_000, items))
            ]
            batch = client.messages.batches.create(requests=requests)
            while batch.processing_status != "ended":
                time.sleep(0.1)  # what such scripts do
                batch = client.messages.batches.retrieve(batch.id)
            for result in client.messages.batches.results(batch.id):
                out.write(result.to_json(indent=None) + "\n")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(time.monotonic() - began, time.process_time() - used, peak_mb)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
