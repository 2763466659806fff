"""Asking again: an answer that isn't of its schema is asked for once more, with what is wrong with it in the prompt.

Each try is an item of its own with its outcome and its bill; the receipt and the key stand for the last one, and only
that one's outcome is delivered.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson
from sqlalchemy import Connection

from overnight_models.ledger import redo
from overnight_models.ledger.collect.arrivals import Arrival
from overnight_models.ledger.redo import Content
from overnight_models.ledger.rows import fetch_all
from overnight_models.request.correction import corrected
from overnight_models.request.worst_case import may_have_more
from overnight_models.wire.outcome import Problem


@dataclass(frozen=True)
class Rule:
    """How often, and within which bounds."""

    times: int = 0
    max_bytes: float = 0
    """Of a request: one that would be larger isn't asked again."""
    max_input_tokens: int | None = None
    """The lane's longest prompt: one that may become longer isn't asked again."""


NEVER: Final = Rule()


class _Asked(NamedTuple):
    """What an item asked."""

    id: int
    size: int
    params: str
    asked_again: int
    """How often that was done before, one after the other."""


def ask_again(connection: Connection, arrivals: Sequence[Arrival], failed: Collection[int], rule: Rule) -> set[int]:
    """Ask again for what has just failed because it isn't of its schema; its outcome is written. Returns which."""
    if not rule.times:
        return set()
    wrong = {
        arrival.item_id: arrival
        for arrival in arrivals
        if arrival.problem == Problem.INVALID_OUTPUT and arrival.message is not None and arrival.item_id in failed
    }
    if not wrong:
        return set()
    asked = fetch_all(
        connection,
        _Asked,
        """
        SELECT item.id, item.size, request.params, coalesce(redo.asked_again, 0) AS asked_again
        FROM item JOIN request ON request.item_id = item.id LEFT JOIN redo ON redo.item_id = item.id
        WHERE item.id = ANY(:ids) AND NOT item.cancel_wanted
        """,
        ids=list(wrong),
    )
    contents = {
        item.id: content
        for item in asked
        if item.asked_again < rule.times and (content := _content(item, wrong[item.id], rule)) is not None
    }
    return set(redo.redo(connection, list(contents), contents=contents, by_itself=True))


def _content(item: _Asked, arrival: Arrival, rule: Rule) -> Content | None:
    """What is asked instead; None where that has no room."""
    params = corrected(item.params, _text(arrival.message or b"{}"), arrival.detail or "it isn't of the schema")
    if params is None:
        return None
    size = item.size + len(params.encode()) - len(item.params.encode())
    too_long = rule.max_input_tokens is not None and may_have_more(rule.max_input_tokens, size, params.encode())
    return None if size > rule.max_bytes or too_long else Content(params, size)


def _text(message: bytes) -> str:
    """The text blocks of an answer, joined; empty where it has none, or can't be read."""
    try:
        blocks = orjson.loads(message)["content"]
        return "".join(block["text"] for block in blocks if block["type"] == "text")
    except (ValueError, TypeError, KeyError):
        return ""
