"""What a workspace is: one API key, and what its account may do in a minute."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from overnight_models.money.rate_limits import COUNTS_PER_MINUTE, Tier, pool
from overnight_workers.configuration.key_sources import KeySource, key_source
from overnight_workers.configuration.kinds import one_of, optional, whole
from overnight_workers.configuration.reading import Faults, made_setting, read_part, setting
from overnight_workers.configuration.urls import api_url, variable_name

_KEY: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`limits` of a workspace: what a pool of models may do in a minute in real time. None: as its tier."""

    requests: int | None = setting(optional(whole(1)), None)
    """Requests a minute."""
    input_tokens: int | None = setting(optional(whole(1)), None)
    """Tokens of prompts a minute; those read from a cache aren't counted."""
    output_tokens: int | None = setting(optional(whole(1)), None)
    """Tokens of answers a minute."""


def _by_pool(given: object) -> dict[str, Limits]:
    """Limits by pool, from a table by model or pool of models; `*` stands for all others."""
    if not isinstance(given, Mapping):
        raise ValueError(
            f"it holds limits by model, such as {{ claude-sonnet-5 = {{ requests = 500 }} }}, not {given!r}"
        )
    faults, limits = Faults(), dict[str, Limits]()
    for name, part in given.items():
        if pool(name) in limits:
            faults.add((name,), f"it shares the limits of {pool(name)}, which are said already")
        limits[pool(name)] = read_part(Limits, part, ("limits", name), faults)
    if faults.said:
        raise ValueError("; ".join(faults.said))
    return limits


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """`[workspaces.NAME]`: one API key and what hangs on it."""

    api_key: KeySource | None = setting(optional(key_source), None)
    """Where the key is: `env:NAME`, `file:PATH`, or `command:PROGRAM ARGUMENTS`, which prints it."""
    api_key_env: str = setting(variable_name, "ANTHROPIC_API_KEY")
    """The environment variable that holds the key, where api_key isn't said."""
    base_url: str | None = setting(optional(api_url), None)
    """Where the API answers; default: ANTHROPIC_BASE_URL, else Anthropic's own."""
    queue_limit: int = setting(whole(1), 200_000)
    """Requests that may be in the API's queue at once. By the account's tier: 200,000, 300,000 or 500,000."""
    tier: Tier = setting(one_of("start", "build", "scale"), "start")
    """The account's tier: what it may do in a minute in real time, and how many tokens it may have counted."""
    counts_per_minute: int | None = setting(optional(whole(1)), None)
    """Calls of count_tokens, where they are other than the tier's 2,000, 4,000 or 8,000."""
    limits: Mapping[str, Limits] = made_setting(_by_pool, dict)
    """Limits of messages, by model or pool of models (`*`: all others), where they are other than the tier's."""

    @property
    def key_source(self) -> KeySource:
        """Where its key is."""
        return self.api_key or KeySource("env", self.api_key_env)

    @property
    def counting_rate(self) -> int:
        """Calls of count_tokens a minute."""
        return self.counts_per_minute or COUNTS_PER_MINUTE[self.tier]


def keys_fit(workspaces: Mapping[str, Workspace], faults: Faults) -> None:
    """What can't be sent as a header is refused here: whoever sends it would show it in an error."""
    for name, workspace in workspaces.items():
        source = workspace.key_source
        if source.kind == "env" and _KEY.fullmatch(os.environ.get(source.place, "").strip() or "x") is None:
            why = f"{source.place} holds no key: a key is one word of ASCII characters"
            faults.add(("workspaces", name, "api_key" if workspace.api_key else "api_key_env"), why)
