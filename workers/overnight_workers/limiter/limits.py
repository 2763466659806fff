"""The limits of a workspace's pool of models: what its settings say, or else its tier."""

from __future__ import annotations

from typing import NamedTuple

from overnight_models.money.rate_limits import message_limits, pool
from overnight_workers.configuration.workspace_settings import Workspace
from overnight_workers.settings import settings


class PoolLimits(NamedTuple):
    """What a pool may do in a minute: requests, input tokens, output tokens."""

    per_minute: tuple[int, int, int]
    is_set: tuple[bool, bool, bool]
    """By the settings: then the account's own limit, as its answers show it, only counts where it is smaller."""


def limits_of(workspace: str, model: str) -> PoolLimits:
    """The limits of a model's pool. A workspace that the configuration has lost keeps to the smallest tier."""
    return limits_within(settings().workspaces.get(workspace) or Workspace(), model)


def limits_within(known: Workspace, model: str) -> PoolLimits:
    """The limits of a model's pool in a workspace of these settings."""
    tier = message_limits(model, known.tier)
    given = known.limits.get(pool(model)) or known.limits.get("*")
    own = (given.requests, given.input_tokens, given.output_tokens) if given is not None else (None, None, None)
    usual = (tier.requests, tier.input_tokens, tier.output_tokens)
    requests, into, out = (number or by_tier for number, by_tier in zip(own, usual, strict=True))
    return PoolLimits((requests, into, out), (own[0] is not None, own[1] is not None, own[2] is not None))
