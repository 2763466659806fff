"""One trace across real processes: a product's span here, a worker of its own there, whose exporter writes a file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import redis
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from overnight_models.wire.traceparent import current_traceparent
from overnight_producers import Overnight, task
from overnight_workers.stages.rescue import sweep
from tests.driving import MODEL, Service, params
from tests.waiting import wait_until

WORKER = """
import sys
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
spans = open(sys.argv[1], "a", buffering=1)
provider = TracerProvider()
exporter = ConsoleSpanExporter(out=spans, formatter=lambda span: span.to_json(None) + chr(10))
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
from overnight_workers.app import app
from overnight_models.routes import QUEUES
app.worker_main(["worker", "--pool=solo", "--without-gossip", "--without-mingle", "-Q", ",".join(QUEUES)])
"""


def exported(spans: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in spans.read_text().splitlines()] if spans.exists() else []


def test_a_products_trace_goes_through_another_process_and_back(service: Service, tmp_path: Path) -> None:
    service.configure(lane={"max_wait": "0s"})
    mine = SpanContext(trace_id=0xA11CE, span_id=0xB0B, is_remote=False, trace_flags=TraceFlags(1))
    written = tmp_path / "spans.jsonl"
    with (
        subprocess.Popen([sys.executable, "-c", WORKER, str(written)]) as worker,
        redis.Redis.from_url(service.redis_url) as client,
        Overnight(service.redis_url) as overnight,
    ):
        with trace.use_span(NonRecordingSpan(mine)):
            traceparent = current_traceparent()
            overnight.enqueue(params(), key="a", callback=task("shop.save", queue="shop"))

        def is_back() -> bool:
            sweep()  # what beat does
            return bool(client.llen("shop"))

        try:
            wait_until(is_back, what=worker.poll)
        finally:
            worker.terminate()
    (message,) = service.queue()
    assert message["headers"]["traceparent"] == traceparent
    spans = {span["name"]: span for span in exported(written)}
    answer = spans[f"chat {MODEL}"]
    own = f"0x{mine.trace_id:032x}"
    assert (answer["context"]["trace_id"], answer["parent_id"]) == (own, f"0x{mine.span_id:016x}")
    for name in ("create_batch", "send shop"):
        assert [link["context"]["trace_id"] for link in spans[name]["links"]] == [own]
    assert spans["overnight.pack"]["attributes"] == {"overnight.pack.items": 1}
