#!/usr/bin/env bash
set -euo pipefail
# Behaviour: the first command to a port where nothing listens fails after eleven tries and some four seconds.
# Expected: a refused connection is known at once, so the error comes within milliseconds; socket_connect_timeout bounds how long dialing takes.
# Source: redis-py, redis/client.py: retry=Retry(ExponentialWithJitterBackoff, 10) is the default of Redis()
# Here: producers/overnight_producers: an enqueue says within two seconds that Redis is away

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import socket, sys, time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]


def seconds(**options: object) -> float:
    began = time.monotonic()
    try:
        redis.Redis(host="127.0.0.1", port=port, socket_connect_timeout=0.2, **options).ping()
    except redis.ConnectionError as error:
        print(f"{options or 'as it comes'}: {error}; after {time.monotonic() - began:.2f} s")
    return time.monotonic() - began


print(f"redis-py {redis.__version__}; tries after the first: {redis.Redis().get_retry()._retries}")
default, never = seconds(), seconds(retry=Retry(NoBackoff(), 0))
print("So whoever answers a person within a second names his own retry; a connect timeout doesn't bound it.")
sys.exit(0 if default > 1.5 and never < 0.5 and default > 5 * never else 1)
PYTHON
