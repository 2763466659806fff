"""What a lane says of its models: which of them takes an item that names none, by the size of its prompt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

from overnight_workers.configuration.kinds import kind_of, one_of, text, whole, yes_or_no
from overnight_workers.configuration.reading import Faults, made_setting, near, setting

_OPTIONS: Final = ("model", "up_to_tokens")
_MOST: Final = 10


@dataclass(frozen=True)
class ModelBySize:
    """`[[lanes.NAME.models]]`: one of the models that a lane chooses from."""

    model: str
    up_to_tokens: int | None = None
    """Of a prompt; None: of any length. The last one has none."""


def read_models(given: object) -> tuple[ModelBySize, ...]:
    """A lane's models, from tables, the shortest prompts' first. Raises ValueError."""
    if not isinstance(given, list | tuple) or not all(isinstance(table, Mapping) for table in given):
        raise ValueError(f"it is a list of tables, [[lanes.NAME.models]], and not {kind_of(given)}")
    if len(given) > _MOST:
        raise ValueError(f"they are {len(given)}: at most {_MOST}")
    models = [_read_model(table) for table in given]
    for before, model in pairwise(models):
        if before.up_to_tokens is None:
            raise ValueError(f"{before.model} needs its up_to_tokens: only the last one takes prompts of any length")
        if model.up_to_tokens is not None and model.up_to_tokens <= before.up_to_tokens:
            raise ValueError(f"up_to_tokens of {model.model} must be more than the {before.up_to_tokens:,} before it")
    if models and models[-1].up_to_tokens is not None:
        raise ValueError(f"the last one, {models[-1].model}, takes what is longer: leave its up_to_tokens out")
    if len({model.model for model in models}) < len(models):
        raise ValueError("each model stands in it once")
    return tuple(models)


def _read_model(given: Mapping[str, object]) -> ModelBySize:
    for name in given:
        if name not in _OPTIONS:
            raise ValueError(f"there is no such setting as {name}{near(str(name), _OPTIONS)}")
    if not given.get("model"):
        raise ValueError("each one names its `model`")
    limit = given.get("up_to_tokens")
    return ModelBySize(text(given["model"]), None if limit is None else whole(1)(limit))


@dataclass(frozen=True, kw_only=True)
class LaneModels:
    """The options of `[lanes.NAME]` about its models."""

    models: tuple[ModelBySize, ...] = made_setting(read_models, tuple)
    """Models for items that leave `model` out, by the tokens of their prompts. Empty: each item names its model."""
    unknown_price: Literal["refuse", "accept"] = setting(one_of("refuse", "accept"), "refuse")
    """What becomes of an item whose model has no price: accepted, what it costs is unknown, and in no sum."""
    escalate: bool = setting(yes_or_no, False)
    """An answer of such a model that is cut off, or isn't of its schema, is asked of the next model up, once."""


def models_fit(lanes: Mapping[str, LaneModels], prices_file: Path | None, faults: Faults) -> None:
    """Lanes choose models that have a price, as items may name no others."""
    from overnight_models.money.prices import PricesInvalid, load

    for name, lane in lanes.items():
        if lane.escalate and len(lane.models) < 2 and faults.is_right("lanes", name, "models"):
            faults.add(("lanes", name, "escalate"), "there is no model to go on to: list two as [[lanes.NAME.models]]")
        if not lane.models or lane.unknown_price == "accept" or not faults.is_right("prices"):
            continue
        try:
            prices = load(prices_file)
        except PricesInvalid:
            return  # told by whoever needs them
        for model in lane.models:
            if prices.model(model.model) is None:
                faults.add(("lanes", name, "models"), f"{model.model} has no price{near(model.model, prices.models)}")
