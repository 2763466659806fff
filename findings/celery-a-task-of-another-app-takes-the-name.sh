#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a task that another Celery app of the process declares under the same name takes the place of one's own: one's own function, called by its name in Python, runs the other's body.
# Expected: two apps keep their tasks apart, since each task is declared on an app; at most the last of one app wins.
# Source: celery/app/base.py: Celery.task has shared=True by default, and _task_from_fun returns the task that has the name already
# Here: tests/stages/product/test_async_callbacks.py: tasks that tests make say shared=False

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.7.0 kombu==5.7.0 || exit 2

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

from celery import Celery

print(f"celery {version('celery')}")


def two_apps(name: str, **options: bool) -> dict[str, str]:
    first, second = Celery("first", broker="memory://"), Celery("second", broker="memory://")

    @first.task(name=name, **options)
    def ours() -> str:
        return "ours"

    @second.task(name=name, **options)
    def theirs() -> str:
        return "theirs"

    return {"by the first app's list": first.tasks[name](), "ours()": ours(), "theirs()": theirs()}


seen = two_apps("shop.save")
print(f"by default: {seen}")
apart = two_apps("shop.apart", shared=False)
print(f"with shared=False: {apart}")
print("So two products, or two tests, that use one name in one process run each other's callbacks unless they say shared=False.")
sys.exit(0 if set(seen.values()) == {"theirs"} and list(apart.values()) == ["ours", "ours", "theirs"] else 1)
PYTHON
