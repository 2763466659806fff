"""What one call tells, and nothing else: was it answered, may it have been billed, and who has to wait for it.

A direct call can't be looked up afterwards. So an answer that was lost after the request was written may have been
billed, and only what is known not to have been taken counts nothing. By status: the SDK's
classes don't tell 529 from 503.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from overnight_workers.anthropic_api.api import SPEND_LIMIT
from overnight_workers.anthropic_api.realtime import Reply
from overnight_workers.stages.protocol import UNTIL_RESUMED, is_about_the_caller
from overnight_workers.stages.result_lines import Line, outline, read_line


@dataclass(frozen=True)
class Answered:
    """A message came. It is paid."""

    line: Line
    """As a line of a batch's results has it, so that it is read by the same functions."""


@dataclass(frozen=True)
class NotTaken:
    """Nothing was billed, and the same may work later."""

    why: str
    pause_s: float | None = None
    """For how long nothing is sent to its model; None: it isn't said."""
    is_limit: bool = False
    """The account goes too fast, or the API is overloaded: others have to go slower too."""


@dataclass(frozen=True)
class Refused:
    """Nothing was billed, and the same would be refused again."""

    why: str


@dataclass(frozen=True)
class HoldWorkspace:
    """Nothing was billed: money or permission stands in the way of everything in this workspace."""

    why: str
    until_resumed: bool = False


@dataclass(frozen=True)
class Lost:
    """It may have been billed, and there is no answer."""

    why: str


Verdict = Answered | NotTaken | Refused | HoldWorkspace | Lost

LONGEST_PAUSE_S: Final = 3600.0
_NOT_BILLED: Final = frozenset({400, 401, 402, 403, 404, 413, 422, 429})
_MOVED: Final = frozenset({301, 307, 308})
_OVERLOADED: Final = 529
_NO_MESSAGE: Final = ", and what came is no message: "


def classify(reply: Reply) -> Verdict:
    """What one call tells."""
    why = f"{reply.status} {reply.text}".strip() if reply.status else reply.text
    if reply.status is None:
        return Lost(why) if reply.may_have_come else NotTaken(why)
    if 200 <= reply.status < 300:
        return _answered(reply)
    if reply.status in _NOT_BILLED and is_about_the_caller(reply.error_code):
        return HoldWorkspace(f"{why} ({reply.error_code})", until_resumed=reply.error_code in UNTIL_RESUMED)
    if reply.status in (401, 402, 403) or reply.status in _MOVED:
        return HoldWorkspace(why)
    if reply.status == 404:
        # a model that isn't there; without the API's own words it is the address that is wrong
        return Refused(why) if reply.error_type == "not_found_error" else HoldWorkspace(why)
    if reply.status == 400 and SPEND_LIMIT.search(reply.text):
        return HoldWorkspace(why)
    if reply.status in (400, 413, 422):
        return Refused(why)
    if reply.status in (429, _OVERLOADED):
        return NotTaken(why, reply.retry_after_s, is_limit=True)
    return Lost(why)


def without_answer(why: str) -> str:
    """Why an answer was lost, for a log: without what came."""
    return why.partition(_NO_MESSAGE)[0] + _NO_MESSAGE.rstrip(": ") if _NO_MESSAGE in why else why


def _answered(reply: Reply) -> Verdict:
    """A success is a message only if it says so, and says what it used."""
    if not reply.whole:
        return Lost(f"{reply.status}, and the answer broke off: {reply.text}")
    line = read_line(b'{"custom_id":"direct","result":{"type":"succeeded","message":%b}}' % reply.body)
    if line is None:
        return Lost(f"{reply.status}{_NO_MESSAGE}{_begin_of(reply.body)}")
    message = line.result.get("message") if line.result is not None else None
    if isinstance(message, Mapping):
        is_message = message.get("type") == "message" and _counts(message.get("usage"))
    else:
        # nobody can read it, and it is whole: it is an answer if its outline has a usage
        fields, whole = outline(line.raw)
        is_message = whole and _counts(fields.get("usage"))
    if is_message:
        return Answered(line)
    return Lost(f"{reply.status}{_NO_MESSAGE}{_begin_of(reply.body)}")


def _counts(usage: object) -> bool:
    return isinstance(usage, Mapping) and all(
        type(usage.get(name)) is int for name in ("input_tokens", "output_tokens")
    )


def _begin_of(body: bytes) -> str:
    return " ".join(body[:200].decode("utf-8", "replace").split()) or "nothing"
