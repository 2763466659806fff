#!/usr/bin/env bash
set -euo pipefail
# Behaviour: temporalio's default converter writes a datetime as text, a set as a list and NaN as NaN, and refuses Decimal and timedelta; without a type hint the text and the list are what comes back.
# Expected: one rule for what JSON lacks: all of them, or none.
# Source: temporalio/converter: JSONPlainPayloadConverter and AdvancedJSONEncoder
# Here: models/overnight_models/wire: what goes over a border is converted by its own class

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check temporalio==1.35.0 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import asyncio, datetime as dt, sys
from decimal import Decimal
from importlib.metadata import version

from temporalio.converter import DataConverter

print(f"temporalio {version('temporalio')}: DataConverter.default")


async def there_and_back(value):
    payloads = await DataConverter.default.encode([value])
    return payloads[0].data.decode(), (await DataConverter.default.decode(payloads))[0]


seen = []
for value in (dt.datetime(2026, 12, 1, tzinfo=dt.timezone.utc), {"a"}, float("nan"), dt.timedelta(hours=1), Decimal("1.10")):
    try:
        text, back = asyncio.run(there_and_back(value))
        seen.append(type(back).__name__)
        print(f"{value!r}: {text}, comes back as {back!r}")
    except TypeError as error:
        seen.append("refused")
        print(f"{value!r}: {error}")
print("So a workflow with a deadline runs and one with a time limit doesn't.")
sys.exit(0 if seen == ["str", "list", "float", "refused", "refused"] else 1)
PYTHON
