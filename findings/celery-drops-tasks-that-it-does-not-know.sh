#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a Celery worker that gets a task of an unknown name writes an error and drops the message.
# Expected: the message goes back to the queue, for a worker that knows it, as in the middle of a deployment.
# Source: celery/worker/consumer/consumer.py: on_unknown_task rejects without requeue
# Here: producers/overnight_producers/callbacks.py: @callback(ack=True) for tasks that may not be known yet

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.7.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import logging, sys, time

import celery
import kombu
from celery import Celery
from celery.contrib.testing.worker import start_worker

logging.disable(logging.CRITICAL)
app = Celery("shop", broker="memory://", backend="cache+memory://")
app.conf.task_acks_late = True


@app.task(name="shop.known")
def known():
    return "done"


app.send_task("shop.of_the_next_version")
with start_worker(app, pool="solo", perform_ping_check=False):
    answer = known.delay().get(timeout=20)  # it stands behind the unknown one
with app.connection_for_read() as connection:
    left = kombu.Queue("celery", channel=connection.default_channel).get(no_ack=True)
print(f"celery {celery.__version__}, kombu {kombu.__version__}: a worker with acks_late, and two messages")
print(f"shop.known: {answer}; left in the queue for a worker that knows shop.of_the_next_version: {left}")
print("So workers are deployed before whoever sends them new tasks, and what must arrive is acknowledged by the task.")
sys.exit(0 if answer == "done" and left is None else 1)
PYTHON
