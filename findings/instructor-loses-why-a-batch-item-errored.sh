#!/usr/bin/env bash
set -euo pipefail
# Behaviour: instructor's batches give each request that Anthropic could not run as 'Unknown error': it looks for a result of type error, and the API says errored.
# Expected: the error's type and message, as the API sends them and as instructor has code to read them.
# Source: instructor/batch/processor.py: parse_results; platform.claude.com: Message Batches, result types succeeded, errored, canceled, expired
# Here: nothing: ours reads results itself

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check instructor==1.17.0 anthropic==2.14.0 || exit 2

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import json, sys
from importlib.metadata import version

from anthropic.types.messages import MessageBatchIndividualResponse
from instructor.batch import BatchProcessor
from pydantic import BaseModel

print(f"instructor {version('instructor')}, anthropic {version('anthropic')}")


class City(BaseModel):
    name: str


def line(type_: str) -> str:
    error = {"type": "error", "error": {"type": "invalid_request_error", "message": "messages: too long"}, "request_id": None}
    result = {"type": "errored", "error": error} if type_ == "errored" else {"type": type_}
    # as instructor's own provider writes it: the SDK's model of a line of the API
    return MessageBatchIndividualResponse.model_validate({"custom_id": type_, "result": result}).model_dump_json()


lines = [line(type_) for type_ in ("errored", "expired", "canceled")]
print(f"a line: {lines[0]}")
results = BatchProcessor("anthropic/claude-haiku-4-5", City).parse_results("\n".join(lines))
seen = {r.custom_id: (r.error_type, r.error_message) for r in results}
for id_, (type_, message) in seen.items():
    print(f"{id_}: {type_}: {message}")
print("So what must be mended, what expired and what may be tried again look alike; the reason is in raw_data only.")
sys.exit(0 if set(seen.values()) == {("extraction_error", "Unknown error")} and len(seen) == 3 else 1)
PYTHON
