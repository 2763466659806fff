#!/usr/bin/env bash
set -euo pipefail
# Behaviour: `import redis` imports redis.asyncio and, where it is installed, the SDK of OpenTelemetry's metrics, though nobody has asked for metrics: most of the modules that it loads.
# Expected: the synchronous client and its commands; OpenTelemetry when its instrumentation is switched on.
# Source: redis/observability, which redis/connection.py imports at the top
# Here: workers/overnight_workers/cli: commands import their libraries when they are called

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check redis==8.1.0 opentelemetry-sdk==1.45.2 || exit 2

cat >"$folder/seen.py" <<'PYTHON'
import sys
from importlib.metadata import version

before = set(sys.modules)
import redis

new = set(sys.modules) - before
sdk = [name for name in new if name.startswith("opentelemetry")]
own_async = [name for name in new if name.startswith("redis.asyncio")]
print(f"redis-py {redis.__version__}, opentelemetry-sdk {version('opentelemetry-sdk')}")
print(f"import redis loads {len(new)} modules: {len(sdk)} of OpenTelemetry, {len(own_async)} of redis.asyncio")
print("So it is none of the cheap imports of a command line.")
sys.exit(0 if any(name.startswith("opentelemetry.sdk.metrics") for name in sdk) and own_async else 1)
PYTHON
"$folder/venv/bin/python" "$folder/seen.py"
