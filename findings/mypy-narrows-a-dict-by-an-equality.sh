#!/usr/bin/env bash
set -euo pipefail
# Behaviour: after 'assert made() == KNOWN' mypy takes KNOWN, a dict of the module, for the TypedDict or None that made() gives: spreading it is an error.
# Expected: a comparison says nothing about the type of its right side, least of all that it may be None.
# Source: mypy's documentation: type narrowing, by equality; mypy/checker.py: equality narrows both operands
# Here: tests: where a dict is compared and used again, the second dict is written before the comparison

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check mypy==2.4.1 || exit 2

cat > "$folder/shown.py" <<'PYTHON'
from typing import TypedDict


class Tls(TypedDict, total=False):
    ca: str


def made() -> Tls | None:
    return {"ca": "a.pem"}


KNOWN = {"ca": "a.pem"}


def before() -> None:
    reveal_type(KNOWN)
    assert made() == KNOWN
    reveal_type(KNOWN)
    more = {**KNOWN, "cert": "b.pem"}
    print(more)
PYTHON
cd "$folder"
"$folder/venv/bin/mypy" --version
"$folder/venv/bin/mypy" --strict --cache-dir "$folder/cache" shown.py | tee seen || true
echo "So a test that compares a dict and then uses it fails its type check, though nothing in the dict has changed."
before=$(grep -c 'Revealed type is "dict\[str, str\]"\|Revealed type is "builtins.dict\[builtins.str, builtins.str\]"' seen || true)
[ "$before" = 1 ] && grep -q "Unpacked dict entry" seen
