#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a task with pydantic=True gets its arguments of a model, or of a model or None, as models; a list or dict of models comes as plain dicts that nobody has validated, and a list of models that it returns isn't serialized.
# Expected: the annotations of the whole signature are held, as pydantic's own validate_call does.
# Source: celery/app/base.py: pydantic_wrapper looks at annotations that are classes derived from BaseModel, or optional ones
# Here: producers/overnight_producers: @callback reads the outcome itself; what a task is given beside it is the product's

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check celery==5.7.0 kombu==5.7.0 pydantic==2.14.4 || exit 2

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

from celery import Celery
from pydantic import BaseModel

app = Celery("shop", broker="memory://")
app.conf.task_always_eager = True
app.conf.task_eager_propagates = True


class Row(BaseModel):
    sku: str
    left: int


@app.task(pydantic=True, shared=False)
def kinds(one: Row, maybe: Row | None, many: list[Row], by_sku: dict[str, Row]) -> list[str]:
    return [type(value).__name__ for value in (one, maybe, many[0], by_sku["A1"])]


@app.task(pydantic=True, shared=False)
def returned(one: Row) -> Row:
    return one


@app.task(pydantic=True, shared=False)
def returned_many() -> list[Row]:
    return [Row(sku="A1", left=1)]


good, wrong = {"sku": "A1", "left": 1}, {"sku": "A1", "left": "none"}
seen = kinds.delay(good, good, [wrong], {"A1": wrong}).get()
print(f"celery {version('celery')}, pydantic {version('pydantic')}")
print(f"Row, Row | None, list[Row], dict[str, Row] arrive as {seen}; the last two had a field that isn't valid")
one, many = returned.delay(good).get(), returned_many.delay().get()
print(f"a Row that is returned is a {type(one).__name__}; of a list[Row] each is a {type(many[0]).__name__}")
print("So the check that the option seems to promise stops at the first bracket.")
sys.exit(0 if seen == ["Row", "Row", "dict", "dict"] and type(one) is dict and type(many[0]) is Row else 1)
PYTHON
