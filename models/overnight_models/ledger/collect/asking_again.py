"""Asking again: an answer that isn't of its schema is asked for once more, with what is wrong with it in the prompt.

Where a lane chooses models by size and escalates, the next model up is asked then, once; also for an answer that was
cut off.

Each try is an item of its own with its outcome and its bill; the receipt and the key stand for the last one, and only
that one's outcome is delivered.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

from overnight_models import exact_json
from overnight_models.ledger import prefixes, redo
from overnight_models.ledger.collect.arrivals import Arrival
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.names import shape_hash, shapes
from overnight_models.ledger.redo import Content
from overnight_models.ledger.rows import fetch_all
from overnight_models.money.prices import Model
from overnight_models.request.correction import corrected
from overnight_models.request.prompt import shape_of
from overnight_models.request.traps import refusal
from overnight_models.request.worst_case import may_have_more
from overnight_models.wire.outcome import Problem


@dataclass(frozen=True)
class Step:
    """One of a lane's models."""

    model_id: int
    name: str
    model: Model | None
    """None where it has no price: then nothing is known against it."""


@dataclass(frozen=True)
class Rule:
    """How often, and within which bounds."""

    times: int = 0
    max_bytes: float = 0
    """Of a request: one that would be larger isn't asked again."""
    max_input_tokens: int | None = None
    """The lane's longest prompt: one that may become longer isn't asked again."""
    ladder: tuple[Step, ...] = ()
    """The models of a lane that escalates, the weakest first; empty where it doesn't."""


NEVER: Final = Rule()
_CUT: Final = ("max_tokens", "model_context_window_exceeded")
"""Why an answer ended before it was whole, where a stronger model may do better."""


class _Row(NamedTuple):
    """An `_Asked` as the tables have it."""

    id: int
    size: int
    asked_again: int
    escalated: bool
    model_id: int
    model_why: str | None
    betas: str
    headers_id: int
    shape_id: int | None
    prefix_id: int | None


class _Asked(NamedTuple):
    """What an item asked."""

    params: str
    id: int
    size: int
    asked_again: int
    """How often that was done before, one after the other."""
    escalated: bool
    """One of those times a stronger model was asked."""
    model_id: int
    model_why: str | None
    betas: str
    headers_id: int
    shape_id: int | None
    """None where it wasn't checked before it was sent."""
    prefix_id: int | None


def ask_again(connection: Connection, arrivals: Sequence[Arrival], failed: Collection[int], rule: Rule) -> set[int]:
    """Ask again for what has just failed by its answer; its outcome is written. Returns which."""
    problems = [Problem.INVALID_OUTPUT] if rule.times or rule.ladder else []
    problems += [Problem.CUT_OFF] if rule.ladder else []
    wrong = {
        arrival.item_id: arrival
        for arrival in arrivals
        if arrival.problem in problems and arrival.message is not None and arrival.item_id in failed
    }
    if not wrong:
        return set()
    rows = fetch_all(
        connection,
        _Row,
        """
        SELECT item.id, item.size, coalesce(redo.asked_again, 0) AS asked_again,
               coalesce(redo.escalated, false) AS escalated, item.model_id, request.model_why, headers.betas,
               item.headers_id, item.shape_id, item.prefix_id
        FROM item JOIN request ON request.item_id = item.id JOIN headers ON headers.id = item.headers_id
        LEFT JOIN redo ON redo.item_id = item.id
        WHERE item.id = ANY(:ids) AND NOT item.cancel_wanted
        """,
        ids=list(wrong),
    )
    # what can't be read isn't asked again by itself: an operator may, when it can be
    texts = prefixes.read_asked(connection, [row.id for row in rows]).texts
    asked = [_Asked(texts[row.id].decode(), *row) for row in rows if row.id in texts]
    contents = {
        item.id: content
        for item in asked
        if (content := _corrected(item, wrong[item.id], rule) or _escalated(item, wrong[item.id], rule)) is not None
    }
    contents |= _shaped(connection, {item.id: item for item in asked}, contents)
    return set(redo.redo(connection, list(contents), contents=contents, by_itself=True))


def _shaped(connection: Connection, asked: Mapping[int, _Asked], contents: Mapping[int, Content]) -> dict[int, Content]:
    """Requests to a stronger model are checked before they are sent, if those before them were."""
    tools: dict[int, Mapping[str, object]] = {}
    hashes: dict[int, bytes] = {}
    for item_id, content in contents.items():
        item = asked[item_id]
        if content.model_id is None or item.shape_id is None:
            continue
        if item.prefix_id is not None and item.prefix_id not in tools:
            tools[item.prefix_id] = prefixes.read(connection, item.prefix_id).tools
        shared = {} if item.prefix_id is None else tools[item.prefix_id]
        hashes[item_id] = shape_hash(item.headers_id, shape_of({**shared, **exact_json.loads(content.params)}))
    numbers = shapes(connection, set(hashes.values())) if hashes else {}
    return {item_id: contents[item_id]._replace(shape_id=numbers[hash_]) for item_id, hash_ in hashes.items()}


def _escalated(item: _Asked, arrival: Arrival, rule: Rule) -> Content | None:
    """The same, asked of the next model up; None where that was done, there is none, or its model isn't the lane's."""
    if item.escalated or item.model_why is None:
        return None
    if arrival.problem == Problem.CUT_OFF and _stop_reason(arrival.message or b"{}") not in _CUT:
        return None  # it was paused: it goes on from where it is
    place = next((n for n, step in enumerate(rule.ladder) if step.model_id == item.model_id), None)
    if place is None:
        return None
    params = json.loads(item.params)
    betas = item.betas.split(",") if item.betas else []
    for step in rule.ladder[place + 1 :]:
        if step.model is None or refusal(params, step.model, betas=betas) is None:
            written = json.dumps(params | {"model": step.name}, ensure_ascii=False, separators=(",", ":"))
            size = item.size + len(written.encode()) - len(item.params.encode())
            why = "was cut off" if arrival.problem == Problem.CUT_OFF else "was not of its schema"
            why = f"the answer of {rule.ladder[place].name} {why}"
            return Content(written, size, model_id=step.model_id, model_why=why)
    return None


def _corrected(item: _Asked, arrival: Arrival, rule: Rule) -> Content | None:
    """What is asked instead of the same model; None where that was done often enough, or has no room."""
    if arrival.problem != Problem.INVALID_OUTPUT or item.asked_again - item.escalated >= rule.times:
        return None
    params = corrected(item.params, _text(arrival.message or b"{}"), arrival.detail or "it isn't of the schema")
    if params is None:
        return None
    size = item.size + len(params.encode()) - len(item.params.encode())
    too_long = rule.max_input_tokens is not None and may_have_more(rule.max_input_tokens, size, params.encode())
    return None if size > rule.max_bytes or too_long else Content(params, size)


def _stop_reason(message: bytes) -> object:
    try:
        return orjson.loads(message).get("stop_reason")
    except (ValueError, AttributeError):
        return None


def _text(message: bytes) -> str:
    """The text blocks of an answer, joined; empty where it has none, or can't be read."""
    try:
        blocks = orjson.loads(message)["content"]
        return "".join(block["text"] for block in blocks if block["type"] == "text")
    except (ValueError, TypeError, KeyError):
        return ""
