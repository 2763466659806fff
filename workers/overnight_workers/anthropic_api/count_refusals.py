"""Refusals to count: whether they say anything about the request as it goes into a batch.

`count_tokens` is another endpoint. It refuses what batches take, so its refusal is a verdict only where its words name
what is wrong with the request itself; whatever else it says leaves the request unchecked.
"""

from __future__ import annotations

import re
from typing import Final

from overnight_workers.anthropic_api.api import SPEND_LIMIT, ApiUnavailable

_OF_THE_ENDPOINT: Final = re.compile(r"count[ _-]?tokens?\b|token[ _-]?count|\bendpoint\b|/v1/messages", re.IGNORECASE)
"""The API speaks of what this endpoint takes."""
_FIELDS: Final = r"(model|messages|system|tools|tool_choice|thinking|output_config|cache_control)"
_OF_THE_REQUEST: Final = re.compile(
    rf"^(\d+ )?(\w+_error: )?({_FIELDS}(\.[\w.-]+)?:|tools?: |.*(blocks with cache_control|tool names must be unique"
    r"|does not support assistant message prefill|prompt is too long|conversation must end with a user message))",
    re.IGNORECASE,
)
"""A field of the request at the beginning, or one of the sentences that the API says without naming one."""
_FIELD_ITSELF: Final = re.compile(rf"(^|: ){_FIELDS}: Extra inputs", re.IGNORECASE)
"""Batches may know a parameter that this endpoint doesn't."""


def words_of(error: ApiUnavailable) -> str:
    """The API's words, with the status before them."""
    return str(error).removeprefix("count of tokens: ")


def verdict(error: ApiUnavailable) -> str | None:
    """The API's words where they prove the request itself invalid; None when they don't."""
    words = words_of(error)
    if error.status == 404:
        return words if "not_found_error: model:" in words else None
    if error.status != 400 or not is_refusal(error):
        return None
    if _OF_THE_ENDPOINT.search(words) or _FIELD_ITSELF.search(words) or not _OF_THE_REQUEST.search(words):
        return None
    return words


def is_refusal(error: ApiUnavailable) -> bool:
    """Whether the API won't count this request, later neither; else the API, the account or the network is away."""
    if error.status == 404:
        return verdict(error) is not None
    about_the_account = error.error_code is not None or SPEND_LIMIT.search(str(error))
    return error.status in (400, 413, 422) and not about_the_account
