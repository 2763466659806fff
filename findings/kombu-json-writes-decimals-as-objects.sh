#!/usr/bin/env bash
set -euo pipefail
# Behaviour: kombu's JSON writes a Decimal, a datetime or a UUID as an object with its type, which only kombu reads back.
# Expected: a text, as most serializers write it, or a TypeError, as the json module answers.
# Source: kombu/utils/json.py: JSONEncoder.default, register_type
# Here: models/overnight_models/wire/outcome.py: document() writes money as decimal texts, and times in ISO 8601

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check kombu==5.7.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import json, sys
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import kombu
from kombu.serialization import dumps, loads

values = {
    "cost": Decimal("1.50"),
    "at": datetime(2026, 11, 1, 12, tzinfo=UTC),
    "id": UUID("11111111-1111-4111-8111-111111111111"),
}
content_type, encoding, written = dumps(values, serializer="json")
print(f"kombu {kombu.__version__}: dumps({values}, serializer='json') is {content_type}")
print(written)
plain = json.loads(written)
back = loads(written, content_type, encoding)
print(f"read by the json module: {plain['cost']!r}; read by kombu: {back['cost']!r}")
print("So a message that another language shall read holds texts and numbers only.")
sys.exit(0 if all(isinstance(one, dict) and "__type__" in one for one in plain.values()) and back == values else 1)
PYTHON
