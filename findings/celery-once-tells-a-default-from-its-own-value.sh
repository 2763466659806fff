#!/usr/bin/env bash
set -euo pipefail
# Behaviour: celery-once queues a task twice when one call leaves a parameter out and the other names its default; and takes 1 and the text "1" for the same call.
# Expected: two calls are the same when the function would see the same values of the same types.
# Source: celery_once/tasks.py: the signature is bound without apply_defaults(); celery_once/helpers.py joins str() of the values
# Here: models/overnight_models/request: an item's content is compared as JSON, which keeps 1 and "1" apart

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check celery-once==3.0.1 celery==5.7.0 redis==8.1.0 || exit 2

LOCKS="$folder/locks" "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import os, sys
from importlib.metadata import version

from celery import Celery
from celery_once import AlreadyQueued, QueueOnce

os.mkdir(os.environ["LOCKS"])
app = Celery("shop", broker="memory://")
app.conf.ONCE = {"backend": "celery_once.backends.File", "settings": {"location": os.environ["LOCKS"], "default_timeout": 60}}


@app.task(base=QueueOnce, shared=False)
def describe(sku: object, full: bool = False) -> None: ...


def queued(*args: object, **kwargs: object) -> bool:
    try:
        describe.delay(*args, **kwargs)
    except AlreadyQueued:
        return False
    return True


print(f"celery-once {version('celery-once')}, celery {version('celery')}")
seen = [queued("1"), queued("1"), queued("1", full=False), queued(1)]
for call, first in zip(('"1"', '"1" again', '"1", full=False', "1"), seen):
    print(f"describe({call}): {'queued' if first else 'already queued'}")
print("So a default that somebody writes out pays twice, and an id that is a number hides one that is a text.")
sys.exit(0 if seen == [True, False, True, False] else 1)
PYTHON
