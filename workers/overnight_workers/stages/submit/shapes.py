"""Shapes: the API is asked about the first requests of each kind, free, before a batch of them is paid for.

A batch reports what is wrong with its requests only when it has ended, up to a day later; `count_tokens` refuses the
same at once. Three of a shape are asked about, so that one bad text among good ones doesn't fail the others.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import orjson

from overnight_models.ledger.submit import shapes as ledger
from overnight_models.request.prompt import counted
from overnight_workers import api, logs, process
from overnight_workers.api import Reply
from overnight_workers.stages import protocol

_SHAPES: Final = 20
"""No more are asked about for one batch."""
PATIENCE_S: Final = 20.0
"""Nor for longer: a batch doesn't wait for an API that doesn't answer."""
_CALL_S: Final = 5.0

log = logs.get(__name__)


def shape_of(params: Mapping[str, Any]) -> bytes:
    """What is checked of a request beside its text: equal for requests that the API takes or refuses alike."""
    return orjson.dumps({name: value for name, value in counted(params).items() if name not in ("messages", "system")})


def refused(batch_id: int, workspace: str, headers: Mapping[str, str], *, patience_s: float) -> dict[int, str]:
    """The items of a batch that the API would turn down, each with its words; what passes is remembered.

    Where the API gives no answer, or one that is about something else, the batch goes as it is.
    """
    with process.database().transaction() as connection:
        samples = ledger.to_be_asked(connection, batch_id, limit=_SHAPES)
    if not samples:
        return {}
    give_up_at = time.monotonic() + patience_s
    found: dict[int, str] = {}
    passed: list[int] = []
    whole: dict[int, str] = {}
    for sample in samples:
        words: dict[int, str] = {}
        try:
            for item_id, params in sample.params.items():
                if time.monotonic() > give_up_at:
                    raise api.ApiUnavailable("count of tokens: no time left")
                why = _refusal(workspace, params, headers)
                if why is None:
                    passed.append(sample.shape_id)
                    break
                words[item_id] = why
            else:
                whole[sample.shape_id] = next(iter(words.values()))
        except api.ApiUnavailable as error:
            log.warning("requests go unchecked", batch_id=batch_id, why=str(error))
            break
        found |= words
    with process.database().transaction() as connection:
        ledger.passed(connection, passed)
        for shape_id, why in whole.items():
            found |= dict.fromkeys(ledger.members(connection, batch_id, shape_id), why)
    return found


def _refusal(workspace: str, params: bytes, headers: Mapping[str, str]) -> str | None:
    """The API's words about one request; None when it takes it. Raises ApiUnavailable when it says neither."""
    try:
        api.count_tokens(workspace, counted(orjson.loads(params)), headers=headers, timeout_s=_CALL_S)
    except api.ApiUnavailable as error:
        words = refusal(error)
        if words is None:
            raise
        return words
    return None


def refusal(error: api.ApiUnavailable) -> str | None:
    """The API's words when it refuses to count because of the request itself; None when it is about something else."""
    words = str(error).removeprefix("count of tokens: ")
    if error.status == 404 and "not_found_error: model:" in words:
        return words
    reply = Reply(error.status, last_byte_let_go=False, text=str(error), error_code=error.error_code)
    about_the_request = error.status in (400, 413) and error.error_code is None
    return (
        words
        if about_the_request and isinstance(protocol.classify_create_reply(reply, releases=0), protocol.Reject)
        else None
    )
