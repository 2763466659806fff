#!/usr/bin/env bash
set -euo pipefail
# Behaviour: celery worker imports what each installed package offers to its command line, before it reads what it was asked for: with Flower installed a worker has all of Flower, tornado and prometheus_client in its memory.
# Expected: a worker loads its app and what that imports; flower is a command beside it that nobody called.
# Source: celery/bin/celery.py: with_plugins over the entry points of celery.commands, as the module is imported
# Here: workers/overnight_workers/one_machine/installation.py: workers are `celery worker`, forked from a process that has imported it

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.7.0 flower==2.2.0 || exit 2

cat > "$folder/app.py" <<'PYTHON'
from celery import Celery

app = Celery("app", broker="memory://")
PYTHON
cat > "$folder/look.py" <<'PYTHON'
import sys
from importlib.metadata import version

PACKAGES = "flower", "tornado", "prometheus_client"
import celery

print(f"Celery {version('celery')}, Flower {version('flower')}")
from celery.apps.worker import Worker  # what `celery worker` is made of

before = [name for name in PACKAGES if name in sys.modules]
count = len(sys.modules)
from celery.bin.celery import celery as command

sys.argv = ["celery", "-A", "app", "worker", "--help"]
try:
    command(standalone_mode=False)
finally:
    after = [name for name in PACKAGES if name in sys.modules]
    print(f"the worker itself: {before}", f"its command line: {after}, {len(sys.modules) - count} modules more", sep="\n", file=sys.stderr)
    print("So each of twelve workers on a host pays for a page that one of them serves.", file=sys.stderr)
    sys.exit(0 if before == [] and after == list(PACKAGES) else 1)
PYTHON
cd "$folder" && venv/bin/python look.py > out 2> err || { cat out err; exit 1; }
head -1 out; cat err
