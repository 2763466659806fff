#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a Celery signature doesn't carry the queue of its task; sent by an app that doesn't know the task it goes to `celery`.
# Expected: `@app.task(queue=…)` is a part of what `.s()` makes, and so it goes along in its JSON.
# Source: celery/app/task.py: subtask_from_request, signature; celery/app/routes.py: the queue is looked up where it is sent
# Here: producers/overnight_producers/callbacks.py: the queue of a callback is looked up when an item is enqueued

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.7.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys

import celery
import kombu
from celery import Celery, signature

shop = Celery("shop", broker="memory://", set_as_current=False)


# not shared: as in a service of its own, which other processes don't import
@shop.task(name="shop.save", queue="shop.copy", shared=False)
def save(text, sku):
    pass


written = json.dumps(save.s(sku="a"))
print(f"celery {celery.__version__}, kombu {kombu.__version__}")
print(f"save.queue is {save.queue!r}; save.s(sku='a') as JSON: {written}")
other = Celery("other", broker="memory://", set_as_current=False)
with other.connection_for_read() as connection:
    channel = connection.default_channel
    for name in ("shop.copy", "celery"):
        kombu.Queue(name, channel=channel).declare()
    signature(json.loads(written), app=other).clone(args=("hello",)).apply_async()
    waiting = {name: kombu.Queue(name, channel=channel).get(no_ack=True) is not None for name in ("shop.copy", "celery")}
print(f"sent by another app; a message waits: {waiting}")
print("So who hands a signature to another service writes the queue beside it, or the task is run by nobody.")
sys.exit(0 if "shop.copy" not in written and waiting == {"shop.copy": False, "celery": True} else 1)
PYTHON
