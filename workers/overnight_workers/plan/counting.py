"""Counting: prompts through `count_tokens`, several at once, no faster than the account may."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Final, Generic, Self, TypeVar

from overnight_models.request.countable import divide
from overnight_workers.anthropic_api import api
from overnight_workers.anthropic_api.count_refusals import is_refusal, verdict, words_of
from overnight_workers.anthropic_api.pace import Pace

T = TypeVar("T")

_THREADS: Final = 16
_AHEAD: Final = 64
"""Prompts that are read before the first of them is counted."""
_TRIES: Final = 4
"""A call that gets no answer is made again so often."""
_PATIENCE: Final = 20
"""One that is told to come later, so often."""
_NOT_AGAIN: Final = frozenset({400, 401, 402, 403, 404})
"""Statuses of an account or an address that something is wrong with, where they aren't about the prompt."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A prompt that the API doesn't take: in a batch it would come back as an error, unbilled."""

    why: str
    """The API's words."""


@dataclass(frozen=True, slots=True)
class AtLeast:
    """A prompt that batches take and that the API doesn't count, or not all of it."""

    tokens: int
    """Of what is counted."""
    why: str | None
    """The API's words where it counts nothing; None where it was known what to leave out."""


Count = int | Refused | AtLeast
"""What is known of a prompt's tokens."""


def known_tokens(count: Count) -> int:
    """The tokens, as far as they are known. What the API doesn't take isn't billed: it has none."""
    return 0 if isinstance(count, Refused) else count.tokens if isinstance(count, AtLeast) else count


@dataclass(frozen=True, slots=True)
class Prompt(Generic[T]):
    """A prompt to be counted, and whose it is."""

    of: T
    params: Mapping[str, object]
    """What count_tokens takes (`request.prompt.counted`)."""
    betas: Sequence[str] = ()


class Counter:
    """Counts prompts for one workspace. A context manager: its threads end with the block."""

    def __init__(
        self, workspace: str, api_version: str, per_minute: int, progress: Callable[[int], None] = lambda calls: None
    ) -> None:
        """progress: is told how many prompts were counted."""
        self.calls = 0
        """Prompts counted so far."""
        self._progress = progress
        self._workspace, self._api_version = workspace, api_version
        self._pace = Pace(per_minute, time.monotonic())
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="count")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def counts(self, prompts: Iterable[Prompt[T]]) -> Iterator[tuple[T, Count]]:
        """The tokens of each prompt, in order. Reads a few ahead, so any number stays flat.

        Raises ApiUnavailable when the API doesn't answer, or doesn't let this workspace in.
        """
        coming = ((prompt.of, self._pool.submit(self._count, prompt)) for prompt in prompts)
        waiting: deque[tuple[T, Future[Count]]] = deque(islice(coming, _AHEAD))
        while waiting:
            of, future = waiting.popleft()
            tokens = future.result()
            self.calls += 1
            self._progress(self.calls)
            waiting.extend(islice(coming, 1))
            yield of, tokens

    def _count(self, prompt: Prompt[T]) -> Count:
        rest, left_out = divide(prompt.params)
        headers = {"anthropic-version": self._api_version}
        if prompt.betas:
            headers["anthropic-beta"] = ",".join(sorted(set(prompt.betas)))
        failures = 0
        for tries in range(1, _PATIENCE + 1):
            wait_s = self._pace.take(time.monotonic())
            if wait_s > 0:
                time.sleep(wait_s)  # the account's limit is one of time
            try:
                tokens = api.count_tokens(self._workspace, rest, headers=headers)
                return AtLeast(tokens, None) if left_out else tokens
            except api.ApiUnavailable as error:
                if is_refusal(error):
                    words = verdict(error)
                    return AtLeast(0, words_of(error)) if words is None or left_out else Refused(words)
                late = error.status == 429
                failures += not late
                if error.status in _NOT_AGAIN or failures == _TRIES or tries == _PATIENCE:
                    raise
                pause_s = error.retry_after_s or (min(2.0**tries, 60.0) if late else 0.25 * 2**failures)
                self._pace.pause(time.monotonic(), pause_s)
        raise AssertionError("it returns or raises")
