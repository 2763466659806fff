"""Escalation: what a lane asks again, and of which model."""

from __future__ import annotations

from overnight_models.ledger.collect.asking_again import Rule, Step
from overnight_workers import process
from overnight_workers.settings import Lane


def rule(lane: Lane) -> Rule:
    """When an answer of a lane is asked for again. Not to be called in a transaction: it may number a model."""
    prices = process.prices()
    ladder = (
        [Step(process.names().model(model.model), model.model, prices.model(model.model)) for model in lane.models]
        if lane.escalate
        else []
    )
    return Rule(lane.retry_invalid, lane.max_bytes, lane.max_input_tokens, tuple(ladder))
