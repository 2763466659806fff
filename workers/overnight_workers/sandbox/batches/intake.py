"""A create's body: read once from its file, request by request, and indexed where it lies.

The body may be 256 MB. It is never held in memory whole, nor written twice: what arrived is the stored
file, beside an index of where each request starts and ends.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from json import JSONDecodeError, JSONDecoder
from pathlib import Path

import orjson

from overnight_workers.sandbox.batches.bodies import write_index
from overnight_workers.sandbox.errors import Refusal
from overnight_workers.sandbox.faults.marks import Mark, mark_of

MAX_REQUESTS = 100_000
MAX_BODY_BYTES = 256_000_000
_WINDOW = 1 << 20
#: Guesses at where a request ends, before the slow way: a text may contain what looks like a boundary.
_GUESSES = 16
_HEAD = re.compile(rb'\s*\{\s*"requests"\s*:\s*\[\s*')
_BETWEEN = re.compile(rb"\s*,\s*")
_TAIL = re.compile(rb"\s*\]\s*\}\s*")
_BOUNDARY = re.compile(rb'\}\s*,\s*\{\s*"(?:custom_id|params)"')
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(slots=True)
class Intake:
    """What was learned from a body that is valid."""

    starts: array[int] = field(default_factory=lambda: array("Q"))
    lengths: array[int] = field(default_factory=lambda: array("I"))
    #: A hash of each request's params, in order.
    hashes: array[int] = field(default_factory=lambda: array("q"))
    marks: dict[int, Mark] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.starts)


def take_in(path: Path) -> Intake:
    """Check a body as the API does at once, and index it. Raises Refusal with what is wrong.

    Only the frame is looked at: shape, count, custom_ids. What is wrong inside params shows in the results.
    """
    intake = Intake()
    custom_ids: set[str] = set()
    for start, end, request in _requests(path):
        position = len(intake)
        if position == MAX_REQUESTS:
            raise Refusal(400, f"requests: List should have at most {MAX_REQUESTS} items after validation")
        custom_id, params = _frame(position, request)
        custom_ids.add(custom_id)
        if len(custom_ids) == position:
            raise Refusal(
                400,
                f"requests.{position}.custom_id: custom_id must be unique; found a duplicate: {custom_id}",
            )
        intake.starts.append(start)
        intake.lengths.append(end - start)
        intake.hashes.append(params_hash(params))
        mark = mark_of(params)
        if mark is not None:
            if mark.do == "reject":
                raise Refusal(400, f"requests.{position}: the sandbox was told to reject this request")
            intake.marks[position] = mark
    if not len(intake):
        raise Refusal(400, "requests: List should have at least 1 item after validation, not 0")
    write_index(path, intake.starts, intake.lengths, intake.hashes)
    return intake


def params_hash(params: Mapping[str, object]) -> int:
    """64 bits that are equal for equal params, however their keys are ordered."""
    canonical = orjson.dumps(params, option=orjson.OPT_SORT_KEYS)
    return int.from_bytes(blake2b(canonical, digest_size=8).digest(), "little", signed=True)


def _frame(position: int, request: object) -> tuple[str, dict[str, object]]:
    if not isinstance(request, dict):
        raise Refusal(400, f"requests.{position}: Input should be a valid dictionary or object")
    custom_id, params = request.get("custom_id"), request.get("params")
    if custom_id is None:
        raise Refusal(400, f"requests.{position}.custom_id: Field required")
    if not isinstance(custom_id, str):
        raise Refusal(400, f"requests.{position}.custom_id: Input should be a valid string")
    if _CUSTOM_ID.fullmatch(custom_id) is None:
        if len(custom_id) > 64:
            raise Refusal(400, f"requests.{position}.custom_id: String should have at most 64 characters")
        raise Refusal(400, f"requests.{position}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
    if params is None:
        raise Refusal(400, f"requests.{position}.params: Field required")
    if not isinstance(params, dict):
        raise Refusal(400, f"requests.{position}.params: Input should be a valid dictionary or object")
    if len(request) > 2:
        extra = next(key for key in request if key not in ("custom_id", "params"))
        raise Refusal(400, f"requests.{position}.{extra}: Extra inputs are not permitted")
    return custom_id, params


def _requests(path: Path) -> Iterator[tuple[int, int, object]]:
    """Start, end and value of each element of `requests`, by offset in the file."""
    with path.open("rb") as file:
        window = file.read(_WINDOW)
        head = _HEAD.match(window)
        if head is None:
            yield from _reframed(path)
            return
        at, offset = head.end(), 0  # where we are in the window; where the window starts in the file
        whole = len(window) < _WINDOW
        if window[at : at + 1] == b"]":
            if not whole or _TAIL.fullmatch(window, at) is None:
                raise _tail_refusal(path)
            return
        while True:
            element = _element(window, at, whole=whole)
            while element is None:
                # Grow by what is there: one huge request costs a few reads, not a quadratic number.
                more = file.read(max(_WINDOW, len(window) - at))
                window, offset, at, whole = window[at:] + more, offset + at, 0, not more
                element = _element(window, at, whole=whole)
            end, value = element
            yield offset + at, offset + end, value
            between = _BETWEEN.match(window, end)
            while between is None or between.end() == len(window):
                if whole:
                    if _TAIL.fullmatch(window, end) is None:
                        raise _tail_refusal(path)
                    return
                more = file.read(_WINDOW)
                window, offset, end, whole = window[end:] + more, offset + end, 0, not more
                between = _BETWEEN.match(window)
            at = between.end()


def _element(window: bytes, at: int, *, whole: bool) -> tuple[int, object] | None:
    """The end and value of the JSON value at `at`; None if more of the file is needed.

    A slice that parses *is* the value: a JSON object that starts here can end in one place only. So we
    guess where the next request starts, and let the parser say whether the guess was right.
    """
    search = at
    for _ in range(_GUESSES):
        boundary = _BOUNDARY.search(window, search)
        if boundary is None:
            break
        search = boundary.start() + 1
        try:
            return search, orjson.loads(window[at:search])
        except orjson.JSONDecodeError:
            continue
    else:
        return _element_slowly(window, at, whole=whole)
    return _element_slowly(window, at, whole=True) if whole else None


def _element_slowly(window: bytes, at: int, *, whole: bool) -> tuple[int, object] | None:
    text = window[at:].decode("utf-8", "surrogateescape")
    try:
        _, end = JSONDecoder().raw_decode(text)
        end = at + len(text[:end].encode("utf-8", "surrogateescape"))
        return end, orjson.loads(window[at:end])
    except (JSONDecodeError, orjson.JSONDecodeError, RecursionError) as error:
        if not whole:
            return None
        raise Refusal(400, f"The request body is not valid JSON: {error}") from error


def _reframed(path: Path) -> Iterator[tuple[int, int, object]]:
    """A body whose first key isn't `requests`: parsed whole, and put into the usual frame."""
    try:
        body = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise Refusal(400, f"The request body is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refusal(400, "Input should be a valid dictionary or object")
    requests = body.get("requests")
    if requests is None:
        raise Refusal(400, "requests: Field required")
    if not isinstance(requests, list):
        raise Refusal(400, "requests: Input should be a valid list")
    extra = next((key for key in body if key != "requests"), None)
    if extra is not None:
        raise Refusal(400, f"{extra}: Extra inputs are not permitted")
    at = 0
    with path.open("wb") as file:
        for request in requests:
            raw = orjson.dumps(request)
            file.write(raw + b"\n")
            yield at, at + len(raw), request
            at += len(raw) + 1


def _tail_refusal(path: Path) -> Refusal:
    """What follows the list isn't the end: find out what to say about it."""
    try:
        body = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        return Refusal(400, f"The request body is not valid JSON: {error}")
    extra = next((key for key in body if key != "requests"), "requests")
    return Refusal(400, f"{extra}: Extra inputs are not permitted")
