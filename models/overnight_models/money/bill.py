"""What one answer is billed for: the request itself, and what the API did beside it, each by its own model.

Compaction and the advisor are calls of their own. The API counts them in `usage.iterations` and leaves them out of the
counters at the top, which hold the request's own turns. Each of them is priced by its own model; where an entry names
none, that is the model that answered.

Size tiers go by the request, as the price list says ("prompts over 100,000 tokens"). The pages of the API don't say how
the turns of one request count, as a loop of server tools makes them. Here they count together, as they do in the
counters at the top. A compaction and an advisor's call are prompts of their own, and so they are sized by themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from overnight_models.money.prices import Model, Prices, Usage, both_costs, costs_of, thinking_cost

_OWN_TURNS: Final = frozenset({"message", "fallback_message"})


class Bill(NamedTuple):
    """What one answer costs, in nano-dollars. The costs are None when a model that worked on it has no price."""

    usage: Usage
    """Everything that is billed, whichever model it was."""
    cost_nano: int | None
    """On the road that it took."""
    realtime_nano: int | None
    thinking_nano: int
    """What the thinking cost: a part of `cost_nano`."""


def bill_of(message: Mapping[str, object], prices: Prices, *, batch: bool = True) -> Bill:
    """The bill of the API's Message. Reading is lenient: what is absent or no number counts as 0.

    batch: whether it was a request of a batch, or one in real time.
    """
    counters = message.get("usage")
    served = str(message.get("model", ""))
    if not isinstance(counters, dict) or not isinstance(counters.get("iterations"), list):
        return _bill_of_one(
            prices.model(served), Usage.of(counters if isinstance(counters, dict) else None), batch=batch
        )
    parts = _parts(counters, counters["iterations"], served, prices)
    priced = [(model, usage) for name, usage in parts if (model := prices.model(name)) is not None]
    total = _summed(usage for _, usage in parts)
    if len(priced) < len(parts):
        return Bill(total, None, None, 0)
    model, own = priced[0]
    batched, realtime = costs_of(priced)
    thinking = thinking_cost(model, own, batch=batch) if own.thinking_tokens else 0
    return Bill(total, batched if batch else realtime, realtime, thinking)


def _bill_of_one(model: Model | None, usage: Usage, *, batch: bool) -> Bill:
    """The bill of an answer on which nothing but its own model worked, as on nearly all."""
    if model is None:
        return Bill(usage, None, None, 0)
    batched, realtime = both_costs(model, usage)
    thinking = thinking_cost(model, usage, batch=batch) if usage.thinking_tokens else 0
    return Bill(usage, batched if batch else realtime, realtime, thinking)


def _parts(
    counters: Mapping[str, object], iterations: Sequence[object], served: str, prices: Prices
) -> list[tuple[str, Usage]]:
    """Each call that is priced by itself: its model and its counters. The request's own comes first."""
    whole = Usage.of(counters)
    own: dict[str, Usage] = {}
    beside = []
    for entry in iterations:
        if not isinstance(entry, dict):
            continue
        name = _name(entry.get("model") or served, prices)
        usage = Usage.of(entry)._replace(inference_geo=whole.inference_geo)
        if entry.get("type") in _OWN_TURNS:
            own[name] = _summed((own[name], usage)) if name in own else usage
        elif usage.prompt_tokens or usage.output_tokens:
            beside.append((name, usage))
    first = _name(served, prices)
    if first not in own:
        # the list doesn't hold the turns of the model that answered: the counters at the top do
        own = {first: whole, **own}
    else:
        # these are told at the top alone
        own[first] = own[first]._replace(
            thinking_tokens=whole.thinking_tokens, web_search_requests=whole.web_search_requests
        )
    others = [(name, usage) for name, usage in own.items() if name != first]
    return [(first, own[first]), *others, *beside]


def _name(name: object, prices: Prices) -> str:
    model = prices.model(str(name))
    return str(name) if model is None else model.name


def _summed(usages: Iterable[Usage]) -> Usage:
    """Counters added up; the geography is that of the first."""
    rows = list(usages)
    counters = [sum(column) for column in zip(*(row[:-1] for row in rows), strict=True)]
    return Usage._make([*counters, rows[0].inference_geo])
