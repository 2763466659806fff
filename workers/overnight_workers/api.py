"""The Anthropic API as this project uses it: one client a workspace, and plain values in place of exceptions.

The SDK takes more than a second to import, so it is imported by what calls it: most workers never do.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from overnight_models.crash_points import reach
from overnight_models.errors import BadSettings, TransientError
from overnight_workers.settings import settings

if TYPE_CHECKING:
    import anthropic

_BATCHES: Final = "/v1/messages/batches"
_PAGE: Final = 1000
_CHUNK: Final = 1 << 18
_STALL_S: Final = 60.0
"""Without a byte of the results: then they are read again, later."""
SPEND_LIMIT: Final = re.compile(r"reached your specified( workspace)? API usage limits|credit balance", re.IGNORECASE)
"""Words of a 400 that is about money, and about no request."""


class ApiUnavailable(TransientError):
    """A read of the API didn't work; the next one may.

    retry_after_s: how long the API wants to be left alone, if it says so.
    """

    def __init__(
        self,
        message: str,
        status: int | None = None,
        retry_after_s: float | None = None,
        error_code: str | None = None,
    ) -> None:
        self.status = status
        self.error_code = error_code
        self.retry_after_s = retry_after_s
        super().__init__(message)


@cache
def client(workspace: str) -> anthropic.Anthropic:
    """The client of a workspace. The SDK's retries are off: it would repeat a create that may have worked."""
    import anthropic
    import httpx2

    known = settings().workspaces.get(workspace)
    key = known.api_key() if known else None
    if known is None or key is None:
        variable = known.api_key_env if known else "ANTHROPIC_API_KEY"
        raise BadSettings([f"workspace {workspace!r} has no key: set {variable}"])
    return anthropic.Anthropic(
        api_key=key,
        base_url=known.base_url,
        max_retries=0,
        timeout=httpx2.Timeout(60.0, connect=5.0),
    )


@dataclass(frozen=True)
class NewBatch:
    """A batch as its create answered it."""

    api_id: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True)
class Reply:
    """What was seen of one create."""

    status: int | None
    """The HTTP status; None when no answer came."""
    last_byte_let_go: bool
    """The last chunk of the body was handed to the connection: without it nothing can have been created."""
    text: str = ""
    """The API's words, or the connection's."""
    error_code: str | None = None
    retry_after_s: float | None = None
    api_id: str | None = None
    """The new batch's id, when the answer names one."""


def create(
    workspace: str, body: BinaryIO, size: int, gate: Callable[[], None], *, headers: Mapping[str, str], timeout_s: float
) -> NewBatch | Reply:
    """Send one create, once. Returns the batch, or what was seen instead; raises for neither.

    body: the JSON body, `size` bytes of it.
    gate: called before the last chunk; what it raises ends the request with its last bytes unsent.
    """
    import anthropic
    import httpx2

    chunks = _Chunks(body, size, gate)
    reach("before create")
    try:
        answer = client(workspace).post(
            _BATCHES,
            cast_to=object,
            content=cast(Any, iter(chunks)),
            options={
                "headers": {"content-type": "application/json", "content-length": str(size), **headers},
                "timeout": httpx2.Timeout(timeout_s, connect=5.0),
                "max_retries": 0,
            },
        )
    except anthropic.APIStatusError as error:
        return Reply(
            error.status_code,
            chunks.let_go,
            _said(error),
            error_code=error.error_code,
            retry_after_s=_retry_after_s(error.response.headers),
        )
    except (anthropic.APIError, httpx2.HTTPError, ValueError) as error:
        cause = error.__cause__ or error
        return Reply(None, chunks.let_go, f"{type(cause).__name__}: {cause}")
    finally:
        reach("after create")
    try:
        document = _mapping(answer)
        return NewBatch(str(document["id"]), _time(document["created_at"]), _maybe_time(document.get("expires_at")))
    except (KeyError, TypeError, ValueError) as error:
        return Reply(200, chunks.let_go, f"an answer that can't be read: {error!r}")


class _Chunks:
    """A body in chunks; the last one is held back until the gate lets it go."""

    def __init__(self, body: BinaryIO, size: int, gate: Callable[[], None]) -> None:
        self._body, self._size, self._gate = body, size, gate
        self.let_go = False

    def __iter__(self) -> Iterator[bytes]:
        left = self._size
        while left > _CHUNK:
            yield self._body.read(_CHUNK)
            reach("in the body")
            left -= _CHUNK
        last = self._body.read(left)
        self._gate()
        # from here on the API may have all of it
        self.let_go = True
        reach("before last bytes")
        yield last
        reach("after last bytes")


@dataclass(frozen=True)
class Listed:
    """One batch on a list."""

    api_id: str
    items: int
    created_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None
    counts: str
    """JSON: request_counts."""
    archived: bool = False
    """Its results can't be had any more."""

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Listed:
        """From the API's JSON, leniently."""
        counts = document.get("request_counts") or {}
        ended = document.get("processing_status") == "ended"
        return cls(
            str(document["id"]),
            sum(int(n) for n in counts.values()),
            _time(document["created_at"]),
            _maybe_time(document.get("expires_at")),
            (_maybe_time(document.get("ended_at")) or datetime.now(UTC)) if ended else None,
            json.dumps(counts),
            document.get("archived_at") is not None,
        )


@dataclass(frozen=True)
class Page:
    """Batches, newest first, and what the response's headers say."""

    batches: tuple[Listed, ...]
    more: bool
    api_workspace_id: str
    date: datetime


def list_batches(workspace: str, *, after_id: str | None = None, limit: int = _PAGE) -> Page:
    """One page of the workspace's batches. Raises ApiUnavailable."""
    import anthropic

    with _reading("list of batches"):
        response = client(workspace).messages.batches.with_raw_response.list(
            limit=limit, after_id=after_id or anthropic.omit
        )
        document = json.loads(response.http_response.content)
        return Page(
            tuple(Listed.read(batch) for batch in document["data"]),
            bool(document.get("has_more")),
            response.headers.get("anthropic-workspace-id") or "",
            _date(response.headers),
        )


def retrieve(workspace: str, api_id: str) -> Listed:
    """One batch. Raises ApiUnavailable; its status is 404 for some seconds on a batch that exists."""
    with _reading(f"batch {api_id}"):
        response = client(workspace).messages.batches.with_raw_response.retrieve(api_id)
        return Listed.read(json.loads(response.http_response.content))


def cancel(workspace: str, api_id: str) -> None:
    """Tell the API to stop a batch. What it has begun is finished and billed. Raises ApiUnavailable."""
    with _reading(f"canceling {api_id}"):
        client(workspace).messages.batches.cancel(api_id)


def count_tokens(
    workspace: str, params: Mapping[str, Any], *, headers: Mapping[str, str], timeout_s: float = 60.0
) -> int:
    """How many tokens a prompt has, as the API estimates it; free, under a rate limit of its own.

    params: what `POST /v1/messages/count_tokens` takes, which is less than a message's.

    Raises ApiUnavailable; with status 400, 404 or 413 it is this request that is wrong.
    """
    with _reading("count of tokens"):
        answer = client(workspace).post(
            "/v1/messages/count_tokens",
            cast_to=object,
            body=params,
            options={"headers": dict(headers), "timeout": timeout_s},
        )
        return int(_mapping(answer)["input_tokens"])


@contextmanager
def results(workspace: str, api_id: str) -> Iterator[Iterator[bytes]]:
    """The lines of a batch's results, as bytes, as they come. Raises ApiUnavailable, in the middle too.

    The address is built from our own base URL: a `results_url` of another host is never followed nor sent the key.
    """
    import anthropic
    import httpx2
    from anthropic._constants import RAW_RESPONSE_HEADER

    with _reading(f"results of {api_id}"):
        response = client(workspace).get(
            f"{_BATCHES}/{api_id}/results",
            cast_to=anthropic.APIResponse[bytes],
            options={
                "headers": {"Accept": "application/binary", RAW_RESPONSE_HEADER: "stream"},
                "timeout": httpx2.Timeout(_STALL_S, connect=5.0),
            },
        )
        try:
            yield _lines(response.iter_bytes(1 << 18))
        finally:
            response.close()


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for chunk in chunks:
        reach("in the results")
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line.strip())
    if rest.strip():
        yield rest


@contextmanager
def _reading(what: str) -> Iterator[None]:
    import anthropic
    import httpx2

    reach("before calling the API")
    try:
        yield
    except anthropic.APIStatusError as error:
        pause_s = _retry_after_s(error.response.headers)
        raise ApiUnavailable(
            f"{what}: {error.status_code} {_said(error)}", error.status_code, pause_s, error.error_code
        ) from error
    except (anthropic.APIError, httpx2.HTTPError) as error:
        raise ApiUnavailable(f"{what}: {type(error.__cause__ or error).__name__}: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise ApiUnavailable(f"{what}: an answer that can't be read: {error!r}") from error
    finally:
        reach("after calling the API")


def _said(error: anthropic.APIStatusError) -> str:
    """The API's own words, whatever form they have (a proxy's 413 is HTML)."""
    body = error.body
    if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        inner = body["error"]
        return f"{inner.get('type', 'error')}: {inner.get('message', '')}".strip()
    return " ".join(str(body or error.message).split())[:500]


def _mapping(answer: object) -> Mapping[str, Any]:
    if isinstance(answer, Mapping):
        return answer
    raise TypeError(f"an object was expected, not {type(answer).__name__}")


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long the API wants to be left alone, in seconds; None when it doesn't say, or not readably.

    `retry-after-ms` comes first; `retry-after` is seconds or a date, reckoned from the answer's own Date header.
    """
    for name, per_second in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            asked = float(headers[name]) / per_second
        except (KeyError, ValueError):
            continue
        if math.isfinite(asked) and asked >= 0:
            return asked
    until = _http_date(headers.get("retry-after"))
    return None if until is None else max(0.0, (until - _date(headers)).total_seconds())


def _time(text: Any) -> datetime:
    return datetime.fromisoformat(str(text))


def _maybe_time(text: Any) -> datetime | None:
    return None if text is None else _time(text)


def _date(headers: Mapping[str, str]) -> datetime:
    return _http_date(headers.get("date")) or datetime.now(UTC)


def _http_date(text: str | None) -> datetime | None:
    """A date as a header has it; in UTC when it names no zone. None when there is none, or it can't be read."""
    try:
        read = parsedate_to_datetime(text or "")
    except (ValueError, TypeError, OverflowError):
        return None
    return read if read.tzinfo is not None else read.replace(tzinfo=UTC)


def ahead(page: Page, database_now: datetime) -> timedelta:
    """How far the API's clock is ahead of the database's."""
    return page.date - database_now
