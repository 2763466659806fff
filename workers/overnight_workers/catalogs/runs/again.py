"""Retries: invalid answers are asked again with what is wrong with them, cut-off ones with more room.

A refusal is never asked again as it is, and what another run has asked isn't either.
"""

from __future__ import annotations

from typing import Final

import orjson

from overnight_models import exact_json
from overnight_models.ledger import redo
from overnight_models.ledger.catalogs import answers
from overnight_models.ledger.catalogs.answers import Failed
from overnight_models.ledger.redo import Content
from overnight_models.request.correction import corrected
from overnight_models.wire.answer import whole_text
from overnight_models.wire.outcome import Problem
from overnight_workers import process
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.settings import Lane, settings

TIMES: Final = 2
"""How often a row is asked again."""
_ROOM: Final = 2
"""How many times the room a cut-off answer had."""


def ask_again(run_name: str, catalog: Catalog) -> int:
    """Ask again for what may come back better; each is paid again, within the run's cap. Returns how many."""
    lane = settings().lane(catalog.lane)
    asked = after = 0
    while True:
        with process.database().transaction() as connection:
            page = answers.to_ask_again(
                connection, run_name, [Problem.INVALID_OUTPUT, Problem.CUT_OFF], times=TIMES, after=after
            )
            contents = {failed.id: content for failed in page if (content := _content(failed, lane)) is not None}
            as_it_is = [failed.id for failed in page if failed.problem not in (Problem.INVALID_OUTPUT, Problem.CUT_OFF)]
            asked += len(redo.redo(connection, [*contents, *as_it_is], contents=contents))
        if not page:
            return asked
        after = page[-1].id


def _content(failed: Failed, lane: Lane) -> Content | None:
    """What is asked instead; None where nothing better can be asked."""
    if failed.params is None:
        return None
    if failed.problem == Problem.INVALID_OUTPUT:
        params = corrected(failed.params, _text(failed.message), failed.detail or "it isn't of the schema")
        return None if params is None else _sized(failed, failed.params, params, failed.max_tokens, lane)
    if failed.problem == Problem.CUT_OFF:
        return _with_more_room(failed, failed.params, lane)
    return None


def _with_more_room(failed: Failed, own: str, lane: Lane) -> Content | None:
    """A cut-off answer with twice the room, as far as its model goes."""
    document: dict[str, object] = exact_json.loads(own)
    model = process.prices().model(str(document.get("model")))
    longest = model.max_output_tokens if model is not None else failed.max_tokens * _ROOM
    room = min(failed.max_tokens * _ROOM, longest)
    if room <= failed.max_tokens:
        return None
    return _sized(failed, own, exact_json.dumps(document | {"max_tokens": room}).decode(), room, lane)


def _sized(failed: Failed, own: str, params: str, max_tokens: int, lane: Lane) -> Content | None:
    """own: what was asked before."""
    size = failed.size + len(params.encode()) - len(own.encode())
    return None if size > lane.max_bytes else Content(params, size, max_tokens)


def _text(message: str | bytes | None) -> str:
    try:
        return whole_text(orjson.loads(message or b"{}").get("content"))
    except (ValueError, AttributeError):
        return ""
