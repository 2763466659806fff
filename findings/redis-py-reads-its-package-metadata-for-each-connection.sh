#!/usr/bin/env bash
set -euo pipefail
# Behaviour: redis-py 8.1 looks its own version up in the installed packages for each Connection that it makes: its metadata file is found and parsed each time.
# Expected: once for a process: a version doesn't change while it runs.
# Source: redis/driver_info.py: DriverInfo; redis/connection.py makes one where none is given
# Here: models/overnight_models/wire: one DriverInfo is made and given to all connections

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import importlib.metadata, sys, time

import redis
from redis.connection import Connection

looked = []
read = importlib.metadata.version


def counting(name: str) -> str:
    looked.append(name)
    return read(name)


importlib.metadata.version = counting
for module in list(sys.modules.values()):
    if module is not None and getattr(module, "version", None) is read:
        module.version = counting
print(f"redis-py {redis.__version__}")


def made(**options: object) -> tuple[int, float]:
    looked.clear()
    began = time.process_time()
    for _ in range(100):
        Connection(host="127.0.0.1", port=1, **options)
    return len(looked), (time.process_time() - began) * 10


plain = made()
from redis.driver_info import DriverInfo

given = made(driver_info=DriverInfo())
for name, (count, each) in {"100 connections": plain, "100 with one driver_info": given}.items():
    print(f"{name}: {count} look-ups of a version, {each:.2f} ms of a processor for each, not dialled")
print("So a pool that grows by a hundred at a burst reads a hundred metadata files before it says a word.")
sys.exit(0 if plain[0] >= 100 and given[0] <= 1 else 1)
PYTHON
