"""Known traps: requests that go into a batch and come back, when it has ended, as errors or cut off.

Unlike `request.faults`, nothing here keeps a request out: what a model takes changes, and the price list that knows of
it may be older than the API.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from overnight_models.request.quoted import quoted
from overnight_models.request.request import unknown_parameters

if TYPE_CHECKING:
    from overnight_models.money.prices import Model

LONG_OUTPUT_BETA: Final = "output-300k-2026-03-24"
LONG_OUTPUT_TOKENS: Final = 300_000

_THINKS_UNASKED: Final = "claude-haiku-5-5"
_TAKES: Final = timedelta(days=2)
"""How long an item may be on its way: a batch may take a day, and be tried again."""
_TELLING: Final = frozenset({"inference_geo", "thinking", "tool_choice", "tools"})
"""Parameters beside the model, `max_tokens` and the messages that traps look at."""
_LITTLE_TO_THINK_WITH: Final = 1_024
"""`max_tokens` that thinking may use up before anything is said."""


@dataclass(frozen=True, slots=True)
class Trap:
    """One thing that is likely to go wrong with a request."""

    name: str
    text: str
    """What happens and what to do, as a sentence without a full stop; the same for every request it concerns."""


def traps(params: Mapping[str, object], model: Model, *, betas: Collection[str] = ()) -> list[Trap]:
    """The traps that a request walks into. It may be anything JSON: what can't be read is no trap."""
    risks = [Trap(name, text) for name, text in _rejected(params, model)]
    risks += [Trap(name, text) for name, text in _limits(params, model, betas)]
    if model.name == _THINKS_UNASKED and "thinking" not in params and _at_most(params, _LITTLE_TO_THINK_WITH):
        text = f"{model.name} thinks unless told not to, and thinking spends max_tokens: answers may be cut off"
        risks.append(Trap("thinks_unasked", text))
    if _searches(params):
        text = f"web searches cost {model.web_search * 1000 / 1e9:g} dollars per 1,000, batched too: not in the sums"
        risks.append(Trap("web_search", text))
    risks += [
        Trap(
            "unknown_parameter", f"`{name}` isn't known here: where the API doesn't know it either, answers are errors"
        )
        for name in sorted(map(str, unknown_parameters(params)))
    ]
    return risks


def traps_now(params: Mapping[str, object], model: Model, today: date, *, betas: Collection[str] = ()) -> list[Trap]:
    """The traps of a request that is enqueued now, and whether its model or the price of its model is about to end."""
    until = today + _TAKES
    ends = retirement(model, today, until), price_ending(model, until)
    return traps(params, model, betas=betas) + [trap for trap in ends if trap is not None]


def refusal(params: Mapping[str, object], model: Model, *, betas: Collection[str] = ()) -> str | None:
    """Why a model is known to turn a request down that another may take; None where nothing is known against it."""
    limits = [text for name, text in _limits(params, model, betas) if name in ("max_tokens", "inference_geo")]
    return next((text for text in (*(text for _, text in _rejected(params, model)), *limits)), None)


def kind(params: Mapping[str, object], betas: Collection[str] = ()) -> tuple[object, ...]:
    """What the traps of a request depend on: requests of one kind walk into the same. Cheap; may be unhashable."""
    telling: tuple[object, ...] = ()
    if not _TELLING.isdisjoint(params):
        types = _type(params.get("thinking")), _type(params.get("tool_choice"))
        telling = "thinking" in params, *types, _searches(params), params.get("inference_geo")
    asked = params.get("model"), params.get("max_tokens"), _prefills(params), LONG_OUTPUT_BETA in betas
    return *asked, telling, unknown_parameters(params)


def retirement(model: Model, now: date, until: date) -> Trap | None:
    """Whether the model's life ends before something is done with it.

    until: when that is likely.
    """
    end = model.end_of_life
    if end is None or end > until:
        return None
    if end < now:
        return Trap("retired", f"{model.name} ended on {end}: requests to it fail")
    days = (end - now).days
    when = "today" if not days else f"in {days} {'day' if days == 1 else 'days'}"
    return Trap("retires", f"{model.name} ends on {end}, {when}: what waits then fails")


def price_ending(model: Model, until: date) -> Trap | None:
    """Whether the known price of the model ends before something is done with it.

    until: when that is likely.
    """
    end = model.price_ends
    if end is None or end >= until:
        return None
    return Trap("price_ends", f"the price of {model.name} is known until {end}: what later answers cost may be wrong")


def _rejected(params: Mapping[str, object], model: Model) -> list[tuple[str, str]]:
    thinking, choice = _type(params.get("thinking")), _type(params.get("tool_choice"))
    shapes = {
        "forced_tools": (choice in ("any", "tool"), f'tool_choice "{choice}" is an error on {model.name}: use "auto"'),
        "thinking_enabled": (thinking == "enabled", f'thinking "enabled" is an error on {model.name}: use "adaptive"'),
        "thinking_disabled": (thinking == "disabled", f"{model.name} always thinks: leave `thinking` out"),
        "prefill": (_prefills(params), f"{model.name} takes no beginning of its answer: end with a user message"),
    }
    return [(name, text) for name, (so, text) in shapes.items() if so and name in model.rejects]


def _limits(params: Mapping[str, object], model: Model, betas: Collection[str]) -> list[tuple[str, str]]:
    risks = []
    max_output = LONG_OUTPUT_TOKENS if model.long_output and LONG_OUTPUT_BETA in betas else model.max_output_tokens
    if not _at_most(params, max_output):
        risks.append(("max_tokens", f"max_tokens is more than {max_output:,}, which is all that {model.name} takes"))
    geo = params.get("inference_geo")
    if isinstance(geo, str) and geo != "global" and geo not in model.geography:
        risks.append(("inference_geo", f"inference_geo {quoted(geo)} is an error on {model.name}: leave it out"))
    if model.name.startswith(("claude-fable", "claude-mythos")):
        risks.append(("retention", f"{model.name} fails in organisations that keep data for less than 30 days"))
    return risks


def _at_most(params: Mapping[str, object], tokens: int) -> bool:
    limit = params.get("max_tokens")
    return not isinstance(limit, int) or limit <= tokens


def _prefills(params: Mapping[str, object]) -> bool:
    messages = params.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    return isinstance(last, (dict, Mapping)) and last.get("role") == "assistant"


def _searches(params: Mapping[str, object]) -> bool:
    tools = params.get("tools")
    return isinstance(tools, list) and any(_type(tool).startswith("web_search") for tool in tools)


def _type(value: object) -> str:
    return str(value.get("type", "")) if isinstance(value, Mapping) else ""
