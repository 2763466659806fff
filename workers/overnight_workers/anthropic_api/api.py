"""The Anthropic API as this project uses it: one client a workspace, and plain values in place of exceptions."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, BinaryIO, Final

from overnight_models import exact_json
from overnight_models.crash_points import reach
from overnight_models.errors import TransientError
from overnight_workers.anthropic_api import http_client, moments, result_lines
from overnight_workers.anthropic_api.http_client import NoAnswer, StatusError
from overnight_workers.held import held
from overnight_workers.keys import api_keys
from overnight_workers.telemetry import counted

if TYPE_CHECKING:
    import httpx2

_BATCHES: Final = "/v1/messages/batches"
_PAGE: Final = 1000
_API_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_MOST_ITEMS: Final = 2**31 - 1
_ANSWER_S: Final = 20.0
"""For a whole answer to a question: nobody else's work waits longer for a workspace whose API doesn't answer."""
_COUNTS: Final = ("processing", "succeeded", "errored", "canceled", "expired")
_CHUNK: Final = 1 << 18
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


def client(workspace: str) -> httpx2.Client:
    """The client of a workspace. Raises BadSettings when it has no key (now)."""
    api_keys.current(workspace)
    return _client(workspace)


@held
def _client(workspace: str) -> httpx2.Client:
    """Nothing is sent twice: a create that got no answer may have worked."""
    return http_client.waiting_client(workspace)


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
    last_byte_authorized: bool
    """The last chunk of the body was handed to the connection: without it nothing can have been created."""
    text: str = ""
    """The API's words, or the connection's."""
    error_code: str | None = None
    retry_after_s: float | None = None
    key_is_renewed: bool = False
    """It was turned down with an old key, and there is a new one: the next try bears that."""
    api_id: str | None = None
    """The new batch's id, when the answer names one."""


def create(
    workspace: str, body: BinaryIO, size: int, gate: Callable[[], None], *, headers: Mapping[str, str], timeout_s: float
) -> NewBatch | Reply:
    """Send one create, once. Returns the batch, or what was seen instead; raises for neither.

    body: the JSON body, `size` bytes of it.
    gate: called before the last chunk; what it raises ends the request with its last bytes unsent.
    """
    import httpx2

    from overnight_workers.keys.key_auth import RENEWED

    chunks = _Chunks(body, size, gate)
    sending = client(workspace)
    reach("before create")
    try:
        request = sending.build_request(
            "POST",
            _BATCHES,
            content=iter(chunks),
            headers={"content-type": "application/json", "content-length": str(size), **headers},
            timeout=httpx2.Timeout(timeout_s, connect=5.0),
        )
        answer = _document(http_client.whole(sending, request))
    except StatusError as error:
        return Reply(
            error.status,
            chunks.authorized,
            error.said,
            error_code=error.error_code,
            retry_after_s=moments.retry_after_s(error.response.headers),
            key_is_renewed=RENEWED in error.response.request.extensions,
        )
    except NoAnswer as error:
        return Reply(None, chunks.authorized, str(error))
    finally:
        reach("after create")
    return _new_batch(answer) or Reply(200, chunks.authorized, f"an answer without an id: {answer!r}"[:500])


def _document(response: httpx2.Response) -> object:
    """The JSON of an answer; its text when it has none."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return response.text


def _new_batch(answer: object) -> NewBatch | None:
    """The batch that an answer names; None when it names none. Only its id matters: its times are in the list, too."""
    if not isinstance(answer, Mapping):
        return None
    api_id = answer.get("id")
    if not isinstance(api_id, str) or not api_id.strip():
        return None
    try:
        return NewBatch(api_id, moments.moment_of(answer["created_at"]), moments.maybe_moment(answer.get("expires_at")))
    except (KeyError, TypeError, ValueError):
        return NewBatch(api_id, datetime.now(UTC), None)


class _Chunks:
    """A body in chunks; the last one is held back until the gate authorizes it."""

    def __init__(self, body: BinaryIO, size: int, gate: Callable[[], None]) -> None:
        self._body, self._size, self._gate = body, size, gate
        self.authorized = False

    def __iter__(self) -> Iterator[bytes]:
        left = self._size
        while left > _CHUNK:
            yield self._body.read(_CHUNK)
            reach("in the body")
            left -= _CHUNK
        last = self._body.read(left)
        self._gate()
        # from here on the API may have all of it
        self.authorized = True
        reach("before last bytes")
        yield last
        reach("after last bytes")


@dataclass(frozen=True)
class Listed:
    """One batch on a list."""

    api_id: str
    items: int
    """By its counts: good for a guess which batch to ask first, and for nothing else."""
    created_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None
    counts: str
    """JSON: request_counts."""
    archived: bool = False
    """Its results can't be had any more."""
    is_odd: bool = False
    """It doesn't say when it was created: `created_at` is when it was seen."""

    @classmethod
    def read(cls, document: object, seen_at: datetime) -> Listed:
        """From the API's JSON, leniently. Raises ValueError when it names no batch."""
        row = document if isinstance(document, Mapping) else {}
        api_id = row.get("id")
        if not isinstance(api_id, str) or not _API_ID.fullmatch(api_id):
            raise ValueError(f"a batch without a usable id: {api_id!r}"[:200])
        given = row.get("request_counts")
        counts = {name: n for name, n in given.items() if type(n) is int} if isinstance(given, Mapping) else {}
        ended = row.get("processing_status") == "ended"
        created_at = moments.maybe_moment(row.get("created_at"))
        return cls(
            api_id,
            max(0, min(_items(counts), _MOST_ITEMS)),
            created_at or seen_at,
            moments.maybe_moment(row.get("expires_at")),
            (moments.maybe_moment(row.get("ended_at")) or seen_at) if ended else None,
            json.dumps(counts).replace("\\u0000", ""),
            row.get("archived_at") is not None,
            created_at is None,
        )


def _items(counts: object) -> int:
    """The requests of a batch, as far as the documented counts say."""
    numbers = [counts.get(name) for name in _COUNTS] if isinstance(counts, Mapping) else []
    return sum(n for n in numbers if type(n) is int)


@dataclass(frozen=True)
class Page:
    """Batches, newest first, and what the response's headers say."""

    batches: tuple[Listed, ...]
    more: bool
    api_workspace_id: str
    date: datetime | None
    """By the API's clock; None when it can't be read."""
    odd: str | None = None
    """Why it proves nothing about a batch that isn't on it."""


def list_batches(workspace: str, *, after_id: str | None = None, limit: int = _PAGE) -> Page:
    """One page of the workspace's batches. Raises ApiUnavailable. A row that can't be read spoils no other."""
    query: dict[str, int | str] = {"limit": limit}
    if after_id is not None:
        query["after_id"] = after_id
    with _reading("list", "list of batches"):
        document, headers = _get(workspace, _BATCHES, query)
        page = _mapping(document)
        rows = page["data"]
        if not isinstance(rows, list):
            raise TypeError(f"its `data` is no list, but {type(rows).__name__}")
        date, more = moments.date_of(headers), page.get("has_more")
        batches, unread = [], 0
        for row in rows:
            try:
                batches.append(Listed.read(row, date or datetime.now(UTC)))
            except ValueError:
                unread += 1
        unread += sum(batch.is_odd for batch in batches)
        odd = None
        if unread:
            odd = f"{unread} of its rows can't be read, or don't say when they were created"
        elif not isinstance(more, bool):
            odd = "it doesn't say whether there are more"
        elif date is None:
            odd = f"its Date can't be read: {headers.get('date')!r}"[:200]
        return Page(tuple(batches), bool(more), headers.get("anthropic-workspace-id") or "", date, odd)


def retrieve(workspace: str, api_id: str) -> Listed:
    """One batch. Raises ApiUnavailable; its status is 404 for some seconds on a batch that exists."""
    with _reading("retrieve", f"batch {api_id}"):
        document, headers = _get(workspace, f"{_BATCHES}/{api_id}", {})
        return Listed.read(document, moments.date_of(headers) or datetime.now(UTC))


def _get(workspace: str, path: str, query: Mapping[str, int | str]) -> tuple[object, Mapping[str, str]]:
    """An answer's JSON and headers. However slowly it comes, it is waited for a few seconds only."""
    import httpx2

    stop_at = time.monotonic() + _ANSWER_S
    asking = client(workspace)
    timeout = httpx2.Timeout(_ANSWER_S, connect=5.0)
    response = http_client.begun(asking, asking.build_request("GET", path, params=query, timeout=timeout))
    body = bytearray()
    try:
        for chunk in response.iter_bytes():
            body += chunk
            if time.monotonic() > stop_at:
                raise TimeoutError(f"not all of it came within {_ANSWER_S:g} s")
    finally:
        response.close()
    return exact_json.mended(bytes(body)), response.headers


def cancel(workspace: str, api_id: str) -> None:
    """Tell the API to stop a batch. What it has begun is finished and billed. Raises ApiUnavailable."""
    with _reading("cancel", f"canceling {api_id}"):
        _ask(workspace, "POST", f"{_BATCHES}/{api_id}/cancel")


def delete(workspace: str, api_id: str) -> bool:
    """Delete a batch that has ended, with its requests and results. False when the API doesn't know it (any more).

    Raises ApiUnavailable, with status 400 or 409 when it hasn't ended.
    """
    try:
        with _reading("delete", f"deleting {api_id}"):
            _ask(workspace, "DELETE", f"{_BATCHES}/{api_id}")
    except ApiUnavailable as error:
        if error.status == 404:
            return False
        raise
    return True


def _ask(workspace: str, method: str, path: str) -> None:
    asking = client(workspace)
    http_client.whole(asking, asking.build_request(method, path))


def count_tokens(
    workspace: str, params: Mapping[str, object], *, headers: Mapping[str, str], timeout_s: float = 60.0
) -> int:
    """How many tokens a prompt has, as the API estimates it; free, under a rate limit of its own.

    params: what `POST /v1/messages/count_tokens` takes, which is less than a message's.

    Raises ApiUnavailable; with status 400, 404 or 413 it is this request that is wrong.
    """
    with _reading("count_tokens", "count of tokens"):
        asking = client(workspace)
        request = asking.build_request(
            "POST",
            "/v1/messages/count_tokens",
            content=json.dumps(params).encode(),
            headers={"content-type": "application/json", **headers},
            timeout=timeout_s,
        )
        tokens = _mapping(_document(http_client.whole(asking, request)))["input_tokens"]
        if not isinstance(tokens, int):
            raise TypeError(f"its `input_tokens` is no number, but {type(tokens).__name__}")
        return tokens


@contextmanager
def results(workspace: str, api_id: str) -> Iterator[Iterator[bytes]]:
    """The lines of a batch's results, as bytes, as they come. Raises ApiUnavailable, in the middle too.

    The address is built from our own base URL: a `results_url` of another host is never followed nor sent the key.
    """
    import httpx2

    with _reading("results", f"results of {api_id}"):
        asking = client(workspace)
        request = asking.build_request(
            "GET",
            f"{_BATCHES}/{api_id}/results",
            headers={"accept": "application/binary"},
            timeout=httpx2.Timeout(result_lines.STALL_S, connect=5.0),
        )
        response = http_client.begun(asking, request)
        try:
            yield result_lines.lines(result_lines.steady(response.iter_bytes()))
        finally:
            response.close()


@contextmanager
def _reading(call: str, subject: str) -> Iterator[None]:
    """A call that changes nothing: counted by its name and status, and ApiUnavailable for whatever goes wrong."""
    import httpx2

    reach("before calling the API")
    status = None
    try:
        yield
        status = 200
    except StatusError as error:
        pause_s = moments.retry_after_s(error.response.headers)
        status = error.status
        raise ApiUnavailable(
            f"{subject}: {error.status} {error.said}", error.status, pause_s, error.error_code
        ) from error
    except NoAnswer as error:
        raise ApiUnavailable(f"{subject}: {error}") from error
    except httpx2.HTTPError as error:
        raise ApiUnavailable(f"{subject}: {type(error).__name__}: {error}") from error
    except TimeoutError as error:
        raise ApiUnavailable(f"{subject}: too slow: {error}") from error
    except (KeyError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        raise ApiUnavailable(f"{subject}: an answer that can't be read: {error!r}") from error
    finally:
        counted.api_call(call, status)
        reach("after calling the API")


def _mapping(answer: object) -> Mapping[str, object]:
    if isinstance(answer, Mapping):
        return answer
    raise TypeError(f"an object was expected, not {type(answer).__name__}")
