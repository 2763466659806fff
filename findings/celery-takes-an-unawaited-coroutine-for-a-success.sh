#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a Celery task that is an async def runs none of its body: the coroutine is its result, nobody awaits it, and the task succeeded.
# Expected: an error when the task is made or called, or that a worker runs it.
# Source: celery/celery, the discussion of asyncio support; celery/app/trace.py calls the function and takes what it gives
# Here: producers/overnight_producers/callbacks.py: @callback runs an async def to its end

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.7.0 kombu==5.7.0 || exit 2

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

from celery import Celery
from celery.contrib.testing.worker import start_worker

print(f"celery {version('celery')}")
app = Celery("shop", broker="memory://", backend="cache+memory://", set_as_current=False)
app.conf.update(task_ignore_result=True, worker_hijack_root_logger=False)
ran, told = [], []


@app.task(name="shop.save", shared=False)
async def save(outcome: str) -> None:
    ran.append(outcome)


@app.task(name="shop.plain", shared=False)
def plain() -> None:
    ran.append("plain")


from celery.signals import task_failure, task_success

task_success.connect(lambda sender, result, **_: told.append((sender.name, type(result).__name__)), weak=False)
task_failure.connect(lambda sender, **_: told.append((sender.name, "failed")), weak=False)
with start_worker(app, perform_ping_check=False, pool="solo", loglevel="CRITICAL"):
    save.delay("an answer")
    plain.delay()
    import time

    for _ in range(100):
        if len(told) == 2:
            break
        time.sleep(0.1)
print(f"signals: {told}")
print(f"bodies that ran: {ran}")
print("So a callback that is a coroutine is acknowledged, and what it was given is gone.")
sys.exit(0 if ran == ["plain"] and sorted(told) == [("shop.plain", "NoneType"), ("shop.save", "coroutine")] else 1)
PYTHON
