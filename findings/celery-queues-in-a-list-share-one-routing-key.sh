#!/usr/bin/env bash
set -euo pipefail
# Behaviour: task_queues = [Queue("urgent"), Queue("slow")] binds both to the default queue's exchange by the default queue's key, so that one message with that key is in both; {"fast": {}, "late": {}} binds each by its own name.
# Expected: the list and the mapping mean the same: each queue is bound by its own name.
# Source: celery/app/amqp.py: Queues.add_compat fills in the name, Queues._add the default routing key
# Here: workers/overnight_workers/app.py: queues are named with their keys

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.7.0 kombu==5.7.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from celery import Celery
from kombu import Queue

print(f"celery {version('celery')}, kombu {version('kombu')}")


def bound(task_queues):
    app = Celery(broker="memory://")
    app.conf.task_queues = task_queues
    queues = app.amqp.queues
    with app.connection_for_write() as connection:
        for queue in queues.values():
            queue(connection.default_channel).declare()
        # as a product without Celery sends it: to the exchange, by the key
        connection.Producer().publish({"n": 1}, exchange="celery", routing_key="celery", serializer="json")
        waiting = {name: queue(connection.default_channel).get() is not None for name, queue in queues.items()}
    return {name: queue.routing_key for name, queue in queues.items()}, waiting


as_list = bound([Queue("urgent"), Queue("slow")])
as_mapping = bound({"fast": {}, "late": {}})
for name, (keys, waiting) in (("a list of Queue", as_list), ("a mapping", as_mapping)):
    print(f"{name}: routing keys {keys}; of one message for the key celery is in: {[queue for queue, there in waiting.items() if there]}")
print("So two ways to write the same configuration route differently; what Celery itself sends by a queue's name isn't touched by it.")
sys.exit(0 if as_list[1] == {"urgent": True, "slow": True} and not any(as_mapping[1].values()) else 1)
PYTHON
