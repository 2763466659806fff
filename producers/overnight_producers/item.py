"""An item, as a product writes it, and as it travels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from celery.canvas import Signature

from overnight_models import exact_json
from overnight_models.errors import BadItem
from overnight_models.request.cuttable import is_place, text_at
from overnight_models.request.moments import faults_of_now, moment_faults, moment_of
from overnight_models.request.prefix import SMALLEST, Cutter
from overnight_models.wire.message import CallbackLine, ItemLine, Line, write_line
from overnight_models.wire.traceparent import current_trace
from overnight_producers.callbacks import callback_line
from overnight_producers.params import as_sent
from overnight_producers.structured import OutputModel, asked_and_strict

IfKnown = Literal["conflict", "deliver", "redo"]
Moment = datetime | timedelta | str
"""A time: an aware datetime, a text with an offset from UTC; or how long from now: a timedelta, a text as "2h"."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One Messages API request, and where its outcome goes."""

    params: Mapping[str, object]
    """Exactly what `client.messages.create(**params)` takes, its objects included: blocks of an answer, `NOT_GIVEN`."""
    key: str | None = None
    """Your name for it, unique in the lane; None: one is made up, which its receipt has."""
    tenant: str | None = None
    """On whose behalf: for fairness, budgets and bills."""
    betas: Sequence[str] = ()
    """Names for the anthropic-beta header; a text is one name."""
    output: type[OutputModel] | Mapping[str, object] | None = None
    """A pydantic model or JSON schema that the answer must be of."""
    callback: Signature[Any] | CallbackLine | None = None
    """A Celery signature, or `task(...)`; None: the outcome is read later by its key."""
    trace_id: str | None = None
    """Passed through to the outcome."""
    if_known: IfKnown = "conflict"
    """What becomes of it when its key has an item already that asks the same for another callback, run, tenant or
    trace id: "conflict" turns it down; "deliver" has that outcome come to this one's callback too, at once when it is
    there, paid once. "redo": where that one failed or was canceled, this one takes its place, whatever it asks."""
    cuttable: str | None = None
    """The place of the text that may be cut from its end, such as "messages.0.content" or "messages.0.content.1.text",
    where the lane cuts prompts that are too long for it (`when_longer`); None: such an item is refused."""
    deadline: Moment | None = None
    """By when its answer is wanted; a duration counts from when it is enqueued. None: its lane's, if it has one."""
    give_up_at: Moment | None = None
    """From when on its answer is of no use: then it isn't bought any more, and fails as `too_late`. None: never."""


def line_of(item: Item, *, redis_url: str | None, item_id: str | None = None) -> tuple[ItemLine, bytes]:
    """An item as it travels, and its bytes. Raises BadItem when it can't.

    redis_url: Overnight's Redis, where callbacks without a broker go; None: it isn't known.
    item_id: the receipt's UUID; None makes one up. It is the key of an item that has none.
    """
    item_id = item_id or str(uuid4())
    key = item.key if item.key is not None else item_id
    if not isinstance(item.params, Mapping):
        raise BadItem([f"`params` must be a dict, not {type(item.params).__name__}"], key=item.key)
    faults = []
    try:
        params = as_sent(item.params)
    except ValueError as error:
        raise BadItem([str(error)], key=item.key) from error
    line: ItemLine = {"id": item_id, "key": key, "params": params}
    _add_names(line, item)
    faults += _add_moments(line, item)
    if item.cuttable is not None:
        line["cuttable"] = item.cuttable
        if is_place(item.cuttable) and text_at(params, item.cuttable) is None:
            faults.append(f"`cuttable` says {item.cuttable}, and there is no text in `params`")
    try:
        if item.output is not None:
            asked, strict = asked_and_strict(item.output)
            line["output"] = asked
            line["params"] = _asking_for(strict, params)
        if item.callback is not None:
            line["callback"] = callback_line(item.callback, redis_url=redis_url)
        if not faults:
            return line, write_line(line)
    except (TypeError, ValueError) as error:
        faults.append(_unwritable(line) or str(error))
    raise BadItem(faults, key=item.key)


def _add_names(line: ItemLine, item: Item) -> None:
    """Write down whose it is, and within which span it is enqueued."""
    if item.betas:
        line["betas"] = [item.betas] if isinstance(item.betas, str) else list(item.betas)
    if item.tenant is not None:
        line["tenant"] = item.tenant
    if item.trace_id is not None:
        line["trace_id"] = item.trace_id
    if (trace := current_trace()) is not None:
        line["traceparent"] = trace.traceparent
        if trace.tracestate is not None:
            line["tracestate"] = trace.tracestate
    if item.if_known != "conflict":
        line["if_known"] = item.if_known


def _add_moments(line: ItemLine, item: Item) -> list[str]:
    """Write down when an item is wanted. Returns what is wrong with that."""
    if item.deadline is None and item.give_up_at is None:
        return []
    now = datetime.now(UTC)
    faults, moments = [], {}
    for name, given in (("deadline", item.deadline), ("give_up_at", item.give_up_at)):
        if given is not None:
            try:
                moments[name] = moment_of(given, now=now)
            except ValueError as error:
                faults.append(f"`{name}`: {error}")
    if "deadline" in moments:
        line["deadline"] = moments["deadline"].isoformat()
    if "give_up_at" in moments:
        line["give_up_at"] = moments["give_up_at"].isoformat()
    return faults + faults_of_now(moments, now=now) + moment_faults(line)


def _unwritable(line: ItemLine) -> str | None:
    """What of an item can't be written as JSON, by its place; None when it is another fault."""
    for name, value in line.items():
        fault = exact_json.fault_in(value, name, most_levels=exact_json.MOST_LEVELS - 1)
        if fault is not None:
            return fault
    return None


def cut(line: ItemLine, written: bytes, cutter: Cutter, *, index: int) -> Line:
    """The line as it is sent: what this process has sent before is cut off its params."""
    divided = cutter.cut(line["params"]) if len(written) > SMALLEST else None
    if divided is None:
        return Line(index, written, None)
    prefix, own = divided
    rest = {name: value for name, value in line.items() if name != "params"} | {"prefix": prefix.hash}
    return Line(index, b'%b,"params":%b}' % (exact_json.dumps(rest)[:-1], own), prefix)


def _asking_for(strict: Mapping[str, object], params: dict[str, Any]) -> dict[str, object]:
    config = dict(params.get("output_config") or {})
    if "format" in config:
        raise ValueError("`output` and `params['output_config']['format']` both name a schema: keep one")
    return params | {"output_config": config | {"format": {"type": "json_schema", "schema": strict}}}
