#!/usr/bin/env bash
set -euo pipefail
# Behaviour: a float field takes the bare words NaN and Infinity of a text that isn't JSON, and 1e400 too; model_dump_json writes them as null, which the same field refuses.
# Expected: model_validate_json refuses what RFC 8259 has no word for, and what a model writes it can read.
# Source: pydantic's documentation: Field(allow_inf_nan) and ConfigDict(ser_json_inf_nan='null')
# Here: models/overnight_models/exact_json.py: such numbers become texts before anything reads an answer

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic==2.14.4 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import pydantic
from pydantic import BaseModel, ValidationError


class Rating(BaseModel):
    score: float


print(f"pydantic {pydantic.VERSION}")
back = []
for text in ('{"score": NaN}', '{"score": -Infinity}', '{"score": 1e400}'):
    written = Rating.model_validate_json(text).model_dump_json()
    try:
        Rating.model_validate_json(written)
        back.append("read again")
    except ValidationError as error:
        back.append(error.errors()[0]["type"])
    print(f"{text} is {Rating.model_validate_json(text)!r}, written {written}, which is refused: {back[-1]}")
print("So an answer can pass its check, be stored by the model, and not pass when it is read again.")
sys.exit(0 if back == ["float_type"] * 3 else 1)
PYTHON
