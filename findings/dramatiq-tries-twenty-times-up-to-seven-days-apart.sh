#!/usr/bin/env bash
set -euo pipefail
# Behaviour: an actor of dramatiq that raises is tried 20 times more without being asked to, first after some seconds and then up to seven days apart.
# Expected: three times, as Celery has it, and only where it is asked for.
# Source: dramatiq's guide, message retries; dramatiq/middleware/retries.py
# Here: models/overnight_models/tables/items.py: an item has a deadline

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dramatiq==2.2.1 || exit 2

cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import logging, sys, time
from importlib.metadata import version

import dramatiq
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import Retries

logging.disable(logging.CRITICAL)
broker = StubBroker()
dramatiq.set_broker(broker)
ran = []


@dramatiq.actor
def describe(sku):
    ran.append(sku)
    raise ConnectionError("not reached")


broker.declare_queue("default")
describe.send("a")
worker = dramatiq.Worker(broker, worker_timeout=100)
worker.start()
for _ in range(300):
    waiting = [item.message for consumer in worker.consumers.values() for item in list(consumer.delay_queue.queue)]
    if waiting:
        break
    time.sleep(0.1)
again = waiting[0]
delay_s = again.options["eta"] / 1000 - time.time()
worker.stop()
retries = Retries()
print(f"dramatiq {version('dramatiq')}: ran {len(ran)} time and waits for try {again.options['retries']} in {delay_s:.0f} s")
print(f"tries more: {retries.max_retries}; the longest wait: {retries.max_backoff / 86_400_000:g} days")
print("So a request that can't succeed is sent for weeks, and each try costs.")
sys.exit(0 if again.options["retries"] == 1 and 1 < delay_s < 31 and retries.max_retries == 20 and retries.max_backoff == 7 * 86_400_000 else 1)
PYTHON
