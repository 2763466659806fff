#!/usr/bin/env bash
set -euo pipefail
# Behaviour: dynaconf reads variables as TOML: the key 1e5 becomes 100000.0, the version 3.10 becomes 3.1, 1_000 becomes 1000 and 0x1F becomes 31; 007 and on stay texts.
# Expected: the text: a variable has no types, and nothing was declared.
# Source: dynaconf/utils/parse_conf.py: parse_conf_data; dynaconf's documentation: Environment variables, TOML syntax
# Here: workers/overnight_workers/configuration/reading.py: a variable becomes what its setting's type says

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dynaconf==3.3.5 || exit 2

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import os, sys
from importlib.metadata import version

from dynaconf import Dynaconf

given = {"KEY": "1e5", "VERSION": "3.10", "NAME": "1_000", "COLOR": "0x1F", "SKU": "007", "SWITCH": "on"}
os.environ.update({f"SHOP_{name}": text for name, text in given.items()})
settings = Dynaconf(envvar_prefix="SHOP")
print(f"dynaconf {version('dynaconf')}")
seen = [settings.get(name) for name in given]
for (name, text), value in zip(given.items(), seen, strict=True):
    print(f"SHOP_{name}={text}: {value!r}")
print("So a password or a workspace's id that happens to look like a number is another one.")
sys.exit(0 if seen == [100000.0, 3.1, 1000, 31, "007", "on"] else 1)
PYTHON
