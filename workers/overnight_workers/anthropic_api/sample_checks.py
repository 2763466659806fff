"""Samples of some shapes: the API is asked (free, by counting their tokens) whether it takes such requests."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from overnight_models import exact_json
from overnight_models.ledger.submit.shapes import Sample
from overnight_models.request.countable import divide
from overnight_models.request.prompt import counted
from overnight_workers.anthropic_api import api
from overnight_workers.anthropic_api.count_refusals import is_refusal, verdict, words_of
from overnight_workers.telemetry import logs

_CALL_S: Final = 5.0

log = logs.get(__name__)


class Unchecked(Exception):
    """The API's reply says nothing about the request as it goes into a batch."""


class Verdicts(NamedTuple):
    """What the API says of samples of some shapes."""

    refused: Mapping[int, str]
    """The API's words, by item."""
    passed: Sequence[int]
    """Shapes of which it takes a request."""
    whole: Mapping[int, str]
    """Shapes of which it refuses every sample, with its words about the first."""


def ask(samples: Sequence[Sample], workspace: str, headers: Mapping[str, str], *, patience_s: float) -> Verdicts:
    """Ask the API about these, for so long at most; the rest goes unchecked. Raises BadSettings without a key."""
    api.client(workspace)  # made before the time runs: it reads certificates
    give_up_at = time.monotonic() + patience_s
    refusals: dict[int, str] = {}
    passed: list[int] = []
    whole: dict[int, str] = {}
    for sample in samples:
        try:
            words, passes = _ask(sample, workspace, headers, give_up_at)
        except api.ApiUnavailable as error:
            log.warning("requests go unchecked", shape_id=sample.shape_id, why=str(error))
            break
        refusals |= words
        if passes:
            passed.append(sample.shape_id)
        elif len(words) == len(sample.params):
            whole[sample.shape_id] = next(iter(words.values()))
    return Verdicts(refusals, passed, whole)


def _ask(sample: Sample, workspace: str, headers: Mapping[str, str], give_up_at: float) -> tuple[dict[int, str], bool]:
    """Of a shape: the samples that the API refuses, with its words, and whether it takes another one.

    Raises ApiUnavailable when the API gives no answer.
    """
    words: dict[int, str] = {}
    for item_id, written in sample.params.items():
        if time.monotonic() > give_up_at:
            raise api.ApiUnavailable("count of tokens: no time left")
        try:
            why = _refusal(workspace, exact_json.loads(written), headers)
        except Unchecked as error:
            log.info("a request goes unchecked", item_id=item_id, why=str(error))
            continue
        if why is None:
            return words, True
        words[item_id] = why
    return words, False


def _refusal(workspace: str, params: Mapping[str, object], headers: Mapping[str, str]) -> str | None:
    """The API's words about one request; None when the API takes it.

    Raises Unchecked, or ApiUnavailable without an answer.
    """
    left_out = divide(params).left_out
    if left_out:
        raise Unchecked(f"count_tokens doesn't count {', '.join(left_out)}")
    try:
        api.count_tokens(workspace, counted(params), headers=headers, timeout_s=_CALL_S)
    except api.ApiUnavailable as error:
        if not is_refusal(error):
            raise
        words = verdict(error)
        if words is None:
            raise Unchecked(words_of(error)) from error
        return words
    return None
