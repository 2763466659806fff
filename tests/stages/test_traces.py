"""One trace from a product's span to its callback, and a batch that is linked with those of its items."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, TraceState

from overnight_models.routes import ACCEPT, COLLECT, DELIVER, DIRECT, PACK, SUBMIT, WEBHOOKS
from overnight_models.wire.traceparent import current_traceparent, read_traceparent
from overnight_producers import Overnight, task
from overnight_workers.cli import app
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.webhooks.webhooks import webhooks
from overnight_workers.telemetry import tracing
from tests.driving import MODEL, Service, callback, item, params, read_command, text_of
from tests.endpoints import SECRET as SECRET_OF_SHOP
from tests.endpoints import Reply, listening
from tests.stages.product.conftest import take_in

SECRET = "nobody else may read this"


@pytest.fixture(scope="module")
def provider() -> Iterator[InMemorySpanExporter]:
    """What a user has who wants traces; a process has one."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    provider.shutdown()


@pytest.fixture
def spans(provider: InMemorySpanExporter) -> InMemorySpanExporter:
    provider.clear()
    return provider


def enqueued_within_spans(service: Service, *keys: str, **more: Any) -> dict[str, str]:
    """Each item is enqueued within a span of the product's own; their traceparents by key."""
    overnight, traceparents = Overnight(service.redis_url), {}
    for key in keys:
        with trace.get_tracer("shop").start_as_current_span(f"order {key}"):
            traceparents[key] = current_traceparent() or ""
            asked = params(f"{text_of(key)} {SECRET}", **more)
            overnight.enqueue(asked, key=key, callback=task("shop.save", queue="shop"))
    overnight.close()
    take_in(service)
    return traceparents


def named(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in spans.get_finished_spans() if span.name == name]


def trace_of(traceparent: str) -> int:
    return int(traceparent.split("-")[1], 16)


def attributes(span: ReadableSpan) -> dict[str, object]:
    return dict(span.attributes or {})


def test_an_item_and_its_batch_are_seen_from_the_products_span_to_its_callback(
    service: Service, spans: InMemorySpanExporter
) -> None:
    traceparents = enqueued_within_spans(service, "a", "b")
    service.round()
    deliver()
    # the answer is in the trace of whoever asked, from when it was sent
    answers = {span.context.trace_id: span for span in named(spans, f"chat {MODEL}") if span.context}
    assert set(answers) == {trace_of(traceparent) for traceparent in traceparents.values()}
    answer = answers[trace_of(traceparents["a"])]
    assert answer.parent is not None
    assert answer.parent.span_id == int(traceparents["a"].split("-")[2], 16)
    said = attributes(answer)
    assert said["gen_ai.provider.name"] == "anthropic"
    assert (said["gen_ai.operation.name"], said["gen_ai.request.model"]) == ("chat", MODEL)
    assert said["gen_ai.response.finish_reasons"] == ("end_turn",)
    assert isinstance(said["gen_ai.usage.output_tokens"], int)
    assert answer.kind == SpanKind.CLIENT
    # the batch knows its items' traces
    (batch,) = named(spans, "create_batch")
    assert {link.context.trace_id for link in batch.links} == set(answers)
    assert attributes(batch)["overnight.items"] == 2
    assert attributes(batch)["overnight.batch_id"] == said["overnight.batch_id"]
    # each stage says how many it did
    for stage in (PACK, SUBMIT, COLLECT):
        (run,) = (span for span in named(spans, stage) if f"{stage}.items" in attributes(span))
        assert attributes(run)[f"{stage}.items"] == 2
    (collected,) = (span for span in named(spans, COLLECT) if f"{DELIVER}.items" in attributes(span))
    assert [link.context.span_id for link in answer.links] == [collected.context.span_id if collected.context else 0]
    assert sum(int(str(attributes(span).get(f"{ACCEPT}.items", 0))) for span in named(spans, ACCEPT)) == 2
    # and the callback goes on in the product's trace
    came = {message["headers"]["argsrepr"]: message["headers"]["traceparent"] for message in service.queue()}
    assert came == {f"(outcome of {key!r},)": traceparent for key, traceparent in traceparents.items()}


def test_a_run_of_a_stage_that_finds_nothing_to_do_leaves_no_span(
    service: Service, spans: InMemorySpanExporter
) -> None:
    service.round()
    deliver()
    webhooks()
    assert [span.name for span in spans.get_finished_spans()] == []


@pytest.mark.usefixtures("apart")
def test_what_is_delivered_is_a_span_linked_with_its_items_traces(
    service: Service, spans: InMemorySpanExporter
) -> None:
    traceparents = enqueued_within_spans(service, "a", "b")
    service.accept(item("untraced", callback=callback()))
    service.round()
    deliver()
    (sent,) = named(spans, "send shop")
    assert sent.kind == SpanKind.PRODUCER
    assert {link.context.trace_id for link in sent.links} == {trace_of(each) for each in traceparents.values()}
    said = attributes(sent)
    assert (said["messaging.batch.message_count"], said["overnight.delivered"]) == (3, 3)
    (run,) = (span for span in named(spans, DELIVER) if f"{DELIVER}.items" in attributes(span))
    assert sent.parent is not None
    assert run.context is not None
    assert sent.parent.span_id == run.context.span_id


def test_an_answer_in_real_time_is_in_its_items_trace_too(service: Service, spans: InMemorySpanExporter) -> None:
    service.configure(lane={"road": "direct"})
    traceparents = enqueued_within_spans(service, "a")
    service.round()
    (answer,) = named(spans, f"chat {MODEL}")
    assert answer.context is not None
    assert answer.context.trace_id == trace_of(traceparents["a"])
    assert attributes(answer)["overnight.via"] == "direct"
    (run,) = (span for span in named(spans, DIRECT) if f"{DIRECT}.items" in attributes(span))
    assert [link.context.span_id for link in answer.links] == [run.context.span_id if run.context else 0]


def test_what_tracing_systems_add_comes_with_the_callback_and_the_answers_span_and_is_purged(
    service: Service, spans: InMemorySpanExporter
) -> None:
    state = TraceState([("vendor", "opaque:1"), ("t61@other", "x y")])
    caller = SpanContext(0xA1, 0xB2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    overnight = Overnight(service.redis_url)
    with trace.use_span(NonRecordingSpan(caller)):
        overnight.enqueue(params(), key="a", tenant="acme", callback=task("shop.save", queue="shop"))
    overnight.close()
    take_in(service)
    service.round()
    deliver()
    (message,) = service.queue()
    assert message["headers"]["tracestate"] == "vendor=opaque:1,t61@other=x y"
    (answer,) = named(spans, f"chat {MODEL}")
    assert answer.context is not None
    assert answer.context.trace_state == state
    read_command(app, "purge", "--tenant", "acme", "--yes")
    assert service.ledger.fetch_all("SELECT traceparent, tracestate FROM request") == [
        {"traceparent": None, "tracestate": None}
    ]


def test_an_outcome_at_a_webhook_says_whose_span_it_belongs_to(
    service: Service, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERNIGHT_SHOP_SECRET", SECRET_OF_SHOP)
    with listening() as endpoint:
        service.configure(webhooks={"shop": endpoint.settings()})
        with trace.get_tracer("shop").start_as_current_span("order"):
            service.answered(
                item("a", callback={"webhook": "shop"}, traceparent=current_traceparent(), tracestate="v=1"),
                item("b", callback={"webhook": "shop"}, tracestate="v=1"),
            )
            assert webhooks() == "2 delivered"
            outcomes = {outcome["key"]: outcome for came in endpoint.came for outcome in came.outcomes}
            assert outcomes["a"]["traceparent"] == current_traceparent()
            assert (outcomes["a"]["tracestate"], "tracestate" in outcomes["b"]) == ("v=1", False)
            endpoint.always = Reply(500, b"nobody else may read this")
            service.accept(item("c", callback={"webhook": "shop"}, traceparent=current_traceparent()))
            service.round()
            webhooks()
    sent = named(spans, "send shop")
    own = trace_of(str(outcomes["a"]["traceparent"]))
    assert sorted([link.context.trace_id for link in span.links] for span in sent) == [[], [own], [own]]
    (refused,) = (span for span in sent if span.status.status_code == StatusCode.ERROR)
    assert SECRET not in refused.to_json()
    first, *_ = named(spans, WEBHOOKS)
    assert attributes(first)[f"{WEBHOOKS}.items"] == 2


def test_what_went_wrong_is_an_error_and_nobody_reads_there_what_was_asked_or_answered(
    service: Service, spans: InMemorySpanExporter
) -> None:
    enqueued_within_spans(service, "a", metadata={"user_id": "sandbox:refused"})
    service.round()
    (answer,) = named(spans, f"chat {MODEL}")
    assert answer.status.status_code == StatusCode.ERROR
    assert attributes(answer)["error.type"] == "refused"
    written = " ".join(span.to_json() for span in spans.get_finished_spans())
    assert SECRET not in written
    assert "Made up" not in written


def test_a_stage_that_fails_is_an_error_by_its_kind_and_not_by_its_words(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match=SECRET), tracing.stage(PACK):
        raise ValueError(SECRET)
    (run,) = named(spans, PACK)
    assert attributes(run)["error.type"] == "ValueError"
    assert SECRET not in run.to_json()


def test_the_same_item_in_another_span_is_the_same_item(service: Service, spans: InMemorySpanExporter) -> None:
    first = enqueued_within_spans(service, "a")
    enqueued_within_spans(service, "a")
    assert [row["traceparent"] for row in service.ledger.fetch_all("SELECT traceparent FROM request")] == [first["a"]]
    service.round()
    deliver()
    assert len(service.queue()) == 1


def test_outside_of_a_span_and_without_opentelemetry_nothing_is_carried(
    service: Service, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert current_traceparent() is None
    with trace.get_tracer("shop").start_as_current_span("order"):
        monkeypatch.delitem(sys.modules, "opentelemetry.trace")
        assert current_traceparent() is None
        spans.clear()
        overnight = Overnight(service.redis_url)
        overnight.enqueue(params(), key="a", callback=task("shop.save", queue="shop"))
        overnight.close()
        take_in(service)
        service.round()
        deliver()
    assert "traceparent" not in service.queue()[0]["headers"]
    assert [span for span in spans.get_finished_spans() if span.name.startswith("overnight")] == []


@pytest.mark.parametrize(
    "given",
    [
        None,
        7,
        "",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ],
)
def test_what_is_no_trace_is_left_out_and_costs_nobody_an_item(service: Service, given: object) -> None:
    assert read_traceparent(given) is None
    verdict = service.accept(
        {"id": "3f5c2f7e-9a53-4d3e-8a53-b0c1d2e3f405", "key": "a", "params": params(), "traceparent": given}
    )
    assert verdict["accepted"] == 1
    assert service.ledger.fetch_one("SELECT traceparent FROM request")["traceparent"] is None
