"""Everything about a request but its messages, looked at once.

The requests of a batch mostly differ in their messages only. What the rest says (the model, what is wrong
with it, which schema the answer has to fit, what it costs to send) is a plan, kept for as long as it repeats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import orjson

from overnight_models.money.prices import Model
from overnight_workers.sandbox.answers.answers import Task
from overnight_workers.sandbox.answers.checked import Rest
from overnight_workers.sandbox.answers.checks import Problem, Terms, problem_of_rest
from overnight_workers.sandbox.answers.fitting import compile_schema
from overnight_workers.sandbox.answers.keywords import Unfittable
from overnight_workers.sandbox.answers.told import with_told
from overnight_workers.sandbox.answers.weights import rest_tokens
from overnight_workers.sandbox.faults.marks import Mark, mark_of

_PLANS_KEPT = 512
_SCHEMAS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Plan:
    """A request without its messages. Without a problem it has a model and a task."""

    problem: Problem | None
    mark: Mark | None
    model: Model | None = None
    task: Task | None = None
    rest_tokens: int = 0
    geo: str | None = None
    #: The message's JSON up to its id, from there to its content, and from its usage's geography on.
    head: bytes = b""
    tail: bytes = b""


class Plans:
    """Plans under the same terms: of one batch, or of one call."""

    def __init__(self, terms: Terms, answer_bytes: int, *, tier: str) -> None:
        self._terms = terms
        self._answer_bytes = answer_bytes
        self._tier = tier
        self._plans: dict[bytes, Plan] = {}
        self._makers: dict[bytes, Callable[[int, str], object]] = {}

    def of(self, rest: Mapping[str, object]) -> Plan:
        """The plan of `rest`: the params without `messages`."""
        key = orjson.dumps(rest)
        plan = self._plans.get(key)
        if plan is None:
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            plan = self._plans[key] = self._made(rest)
        return plan

    def _made(self, unchecked: Mapping[str, object]) -> Plan:
        problem = problem_of_rest(unchecked, self._terms)
        mark = mark_of(unchecked)
        if problem is not None:
            return Plan(problem, mark)
        rest = cast("Rest", unchecked)  # which it is now
        model = self._terms.prices.model(rest["model"])
        assert model is not None, "checked"
        try:
            tool, make = self._wanted(rest)
            # Once for trial: a schema that nothing fits shows here.
            if make is not None:
                make(0, "")
        except (Unfittable, RecursionError, TypeError, ValueError, AttributeError, LookupError) as error:
            message = f"output_config.format.schema: the sandbox can't fit this schema: {error}"
            return Plan(Problem("invalid_request_error", message), mark)
        sized = mark is not None and mark.do == "answer_bytes"
        size = int(mark.detail) if mark is not None and sized else self._answer_bytes
        task = Task(rest["max_tokens"], _thinking(rest, model), make, tool, size, sized)
        geo = rest.get("inference_geo")
        shown_geo = (geo or "global") if model.geography else "not_available"
        return Plan(
            problem=None,
            mark=mark,
            model=model,
            task=task,
            rest_tokens=rest_tokens(rest),
            geo=geo,
            head=b'{"model":%b,"id":"' % orjson.dumps(served_name(model)),
            tail=b'"service_tier":"%b","inference_geo":%b}}' % (self._tier.encode(), orjson.dumps(shown_geo)),
        )

    def _wanted(self, rest: Rest) -> tuple[str | None, Callable[[int, str], object] | None]:
        tools, choice = rest.get("tools"), rest.get("tool_choice")
        if tools and choice and choice["type"] in ("any", "tool"):
            tool = next((tool for tool in tools if tool.get("name") == choice.get("name")), tools[0])
            return tool["name"], self._maker(tool.get("input_schema", {"type": "object"}))
        config = rest.get("output_config")
        format_ = config.get("format") if config else None
        return None, self._maker(format_["schema"]) if format_ else None

    def _maker(self, schema: Mapping[str, object]) -> Callable[[int, str], object]:
        key = orjson.dumps(schema)
        maker = self._makers.get(key)
        if maker is None:
            if len(self._makers) >= _SCHEMAS_KEPT:
                self._makers.clear()
            maker = self._makers[key] = compile_schema(with_told(schema))
        return maker


def served_name(model: Model) -> str:
    """The name an answer carries: models that have a dated id answer with it."""
    for alias in model.aliases:
        if alias[-8:].isdigit():
            return alias
    return model.name


def _thinking(rest: Rest, model: Model) -> str:
    thinking = rest.get("thinking")
    if thinking is not None:
        return str(thinking["type"])
    # Haiku 5.5 thinks unless told not to, as its documentation says; so do the always-on ones.
    unasked = model.name == "claude-haiku-5-5" or "thinking_disabled" in model.rejects
    return "adaptive" if unasked else "disabled"
