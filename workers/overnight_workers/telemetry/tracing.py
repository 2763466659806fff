"""Traces, for whoever has OpenTelemetry: spans of stages, batches, deliveries, and of answers in their items' traces.

Nothing is installed for it and nothing is sent: where the process has a tracer provider (`opentelemetry-instrument
celery …`), spans go to that, and else nothing is done. A run of a stage that found nothing to do leaves none; a batch
and a delivery are linked with the traces of their items. Names are those of the semantic conventions for GenAI and
messaging; what somebody asked or was answered is in no span.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Final

from overnight_models.exact_json import loads

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Span

MOST_LINKS: Final = 100
"""Of one span; tracers keep no more than 128."""
_SCOPE: Final = "overnight"
_PROVIDER: Final = "anthropic"

Attributes = Mapping[str, str | int | float | Sequence[str]]


@dataclass(frozen=True)
class Answer:
    """What came back for one item that has a trace."""

    trace: Mapping[str, str]
    """`traceparent`, and `tracestate` where there is one."""
    asked_at: datetime
    """When it was sent."""
    model: str
    """That was asked for."""
    max_tokens: int
    message: bytes | None
    """JSON; None: there is no answer."""
    problem: str | None
    attributes: Attributes = field(default_factory=dict)


@dataclass
class _Run:
    """A run of a stage."""

    done: dict[str, int] = field(default_factory=dict)
    """Items, by stage."""
    is_told: bool = False
    """Something happened in it besides: another span, or a failure."""


_runs: ContextVar[_Run | None] = ContextVar("the run of a stage", default=None)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """A span for one run of a stage, with the numbers of items that `count` is told meanwhile.

    A run in which nothing happened has none: stages look many times a minute.
    """
    trace = _trace()
    if trace is None:
        yield
        return
    span, run = trace.get_tracer(_SCOPE).start_span(name), _Run()
    before = _runs.set(run)
    try:
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            yield
    except Exception as error:
        run.is_told = True
        span.set_attribute("error.type", type(error).__qualname__)
        span.set_status(trace.Status(trace.StatusCode.ERROR))
        raise
    finally:
        _runs.reset(before)
        # a span that isn't ended is never exported
        if run.done or run.is_told:
            span.set_attributes({f"{stage}.items": number for stage, number in run.done.items()})
            span.end()


def count(stage: str, items: int) -> None:
    """A stage has done so many more items."""
    run = _runs.get()
    if run is not None:
        run.done[stage] = run.done.get(stage, 0) + items


@contextmanager
def batch(traceparents: Iterable[str], attributes: Attributes) -> Iterator[dict[str, str]]:
    """A span for the create of a batch, linked with its items. Yields a dict for what its answer says."""
    answered: dict[str, str] = {}
    said = {"gen_ai.provider.name": _PROVIDER, "gen_ai.operation.name": "create_batch", **attributes}
    with _span("create_batch", links=_links(traceparents), attributes=said) as span:
        yield answered
        if span is not None:
            span.set_attributes(answered)


@contextmanager
def delivery(target: str, traceparents: Iterable[str | None]) -> Iterator[dict[str, int | str]]:
    """A span for outcomes that go to a queue or a webhook together, linked with their items' traces, a hundred at most.

    Yields a dict for what became of it; `error.type` makes it an error.
    """
    became: dict[str, int | str] = {}
    if not is_on():
        yield became
        return
    outcomes = list(traceparents)
    traces = dict.fromkeys(traceparent for traceparent in outcomes if traceparent is not None)
    said: Attributes = {
        "messaging.operation.type": "send",
        "messaging.destination.name": target,
        "messaging.batch.message_count": len(outcomes),
    }
    with _span(f"send {target}", links=_links(list(traces)[:MOST_LINKS]), attributes=said, is_producer=True) as span:
        yield became
        if span is not None:
            span.set_attributes(became)
            if "error.type" in became and (trace := _trace()) is not None:
                span.set_status(trace.Status(trace.StatusCode.ERROR))


def answers(came: Iterable[Answer]) -> None:
    """A span for each answer, in its item's trace: from when it was sent until now, linked with who took it."""
    trace = _trace()
    if trace is None:
        return
    tracer = trace.get_tracer(_SCOPE)
    here = trace.get_current_span().get_span_context()
    _tell()
    for answer in came:
        span = tracer.start_span(
            f"chat {answer.model}",
            context=_context(answer.trace),
            kind=trace.SpanKind.CLIENT,
            links=[trace.Link(here)] if here.is_valid else [],
            start_time=int(answer.asked_at.timestamp() * 1e9),
            attributes={
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": _PROVIDER,
                "gen_ai.request.model": answer.model,
                "gen_ai.request.max_tokens": answer.max_tokens,
                **_said(answer.message),
                **answer.attributes,
            },
        )
        if answer.problem is not None:
            span.set_attribute("error.type", answer.problem)
            span.set_status(trace.Status(trace.StatusCode.ERROR))
        span.end()


def is_on() -> bool:
    """Whether the stage that runs is in a span that is kept: asked before the ledger is asked for traces."""
    trace = _trace()
    return trace is not None and bool(trace.get_current_span().is_recording())


def _said(message: bytes | None) -> Attributes:
    """What the conventions have of an answer: none of its content."""
    if message is None:
        return {}
    document = loads(message)
    usage = document.get("usage") or {}
    read = {
        "gen_ai.response.id": document.get("id"),
        "gen_ai.response.model": document.get("model"),
        "gen_ai.usage.input_tokens": usage.get("input_tokens"),
        "gen_ai.usage.output_tokens": usage.get("output_tokens"),
    }
    reason = document.get("stop_reason")
    known = {name: value for name, value in read.items() if isinstance(value, (str, int))}
    return known | ({"gen_ai.response.finish_reasons": [reason]} if isinstance(reason, str) else {})


@contextmanager
def _span(
    name: str, *, links: Sequence[Link], attributes: Attributes, is_producer: bool = False
) -> Iterator[Span | None]:
    """A span within the run of a stage, to the outside."""
    trace = _trace()
    if trace is None:
        yield None
        return
    _tell()
    kind = trace.SpanKind.PRODUCER if is_producer else trace.SpanKind.CLIENT
    # by itself it would keep what an error says, which may be somebody else's words
    begin = trace.get_tracer(_SCOPE).start_as_current_span
    with begin(
        name, links=links, attributes=attributes, kind=kind, record_exception=False, set_status_on_exception=False
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(trace.Status(trace.StatusCode.ERROR))
            raise


def _tell() -> None:
    """The run of this stage has something to tell, if only what is within it."""
    run = _runs.get()
    if run is not None:
        run.is_told = True


def _links(traceparents: Iterable[str]) -> list[Link]:
    trace = _trace()
    if trace is None:
        return []
    spans = (
        trace.get_current_span(_context({"traceparent": traceparent})).get_span_context()
        for traceparent in traceparents
    )
    return [trace.Link(span) for span in spans]


def _context(trace: Mapping[str, str]) -> Context:
    """The context that a traceparent, and what tracing systems add to it, name."""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract(trace)


def _trace() -> ModuleType | None:
    """OpenTelemetry's API, where this process has it: whoever has a provider has imported it."""
    return sys.modules.get("opentelemetry.trace")
