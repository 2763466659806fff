"""The calls beside batches: a message in real time, counting its tokens, the list of models."""

from __future__ import annotations

import asyncio
import itertools
import math
import secrets
from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from overnight_models.money.prices import Model, Prices
from overnight_workers.sandbox.answers import caching, counting
from overnight_workers.sandbox.answers.caching import Cache, Split
from overnight_workers.sandbox.answers.checked import Request
from overnight_workers.sandbox.answers.checks import Problem, Terms, ended
from overnight_workers.sandbox.answers.odd_contents import ODD_CONTENTS
from overnight_workers.sandbox.answers.profiles import Plan, Plans
from overnight_workers.sandbox.answers.weights import prompt_tokens
from overnight_workers.sandbox.answers.work import Done, answered, last_text, message_of, problem_of, told_problem
from overnight_workers.sandbox.batches.accepting import Desk
from overnight_workers.sandbox.batches.intake import params_hash
from overnight_workers.sandbox.clock import Clock
from overnight_workers.sandbox.draws import log_normal
from overnight_workers.sandbox.errors import STATUS_BY_TYPE, Refusal
from overnight_workers.sandbox.faults.faults import Faults
from overnight_workers.sandbox.faults.marks import Mark
from overnight_workers.sandbox.http.calls import JSON, Call
from overnight_workers.sandbox.http.limits import Bucket, MessageRates
from overnight_workers.sandbox.http.message_stream import MessageStream, WholeMessage
from overnight_workers.sandbox.meter import Tally, save_billed
from overnight_workers.sandbox.options import Options
from overnight_workers.sandbox.store import Store

MAX_BODY_BYTES = 32_000_000


class MessageCalls:
    """One method for each call."""

    def __init__(
        self,
        desk: Desk,
        store: Store,
        prices: Prices,
        clock: Clock,
        faults: Faults,
        rates: MessageRates,
        options: Options,
    ) -> None:
        self._desk = desk
        self._store = store
        self._prices = prices
        self._clock = clock
        self._faults = faults
        self._options = options
        self._rates = rates
        self._count_bucket = Bucket(clock.now(), options.counts_per_minute)
        self._calls = itertools.count()

    async def create(self, call: Call) -> Response:
        """`POST /v1/messages`: checked at once, billed at once at the ordinary price, and only then waited for.

        Whoever goes away while it is answered has paid for it.
        """
        params, raw = await call.json(MAX_BODY_BYTES)
        workspace, model = call.caller.workspace, str(params.get("model"))
        try:
            self._rates.take_request(workspace, model)
            message, tokens = await self._answer(call, params, raw)
        except Refusal as refusal:
            if refusal.status == 429 and call.fired("no_retry_after") is not None:
                refusal.retry_after = None
            raise
        finally:
            call.headers |= self._rates.headers(workspace, model)
        await asyncio.sleep(self._latency_s())
        self._rates.give_output(workspace, model, tokens)
        call.headers |= self._rates.headers(workspace, model)
        return MessageStream(message, call.rules) if params.get("stream") else WholeMessage(message, call.rules)

    async def _answer(self, call: Call, params: Any, raw: bytes) -> tuple[bytes, int]:
        """The answer to a request, billed, and its tokens. Raises Refusal."""
        terms = self._terms(call)
        messages = params.pop("messages", None)
        plan = Plans(terms, self._options.answer_bytes, tier="standard").of(params)
        problem = plan.problem or problem_of(plan, params, messages, terms, cached=b'"cache_control"' in raw)
        if problem is not None:
            raise _refusal(problem)
        params["messages"] = messages
        return await run_in_threadpool(self._answered, call.caller.workspace, params, plan)

    def _latency_s(self) -> float:
        options = self._options
        if not options.latency_spread:
            return options.latency_s
        return log_normal(options.latency_s, options.latency_spread, options.seed, next(self._calls))

    def _answered(self, workspace: str, params: Request, plan: Plan) -> tuple[bytes, int]:
        assert plan.model is not None, "checked before"
        number = params_hash(params)
        mark = self._told(workspace, plan, number)
        do = "" if mark is None else mark.do
        if mark is not None and do == "errored":
            raise _refusal(told_problem(mark.detail))
        said = answered(plan, last_text(params["messages"]), self._options.seed, do)
        cache = Cache(self._store, workspace, "direct", self._options.seed)
        split = Split(prompt_tokens(params), 0, 0, 0)
        points = caching.breakpoints_of(params, plan.model)
        if points:
            warm = self._options.warm_hit_rate
            depth = cache.depth_read(points, self._clock.now(), warm, warm, number)
            split = caching.split(split.uncached, points, depth)
        self._rates.take_input(workspace, plan.model.name, split.uncached + split.write_5m + split.write_1h)
        done = Done("", "succeeded", "", None, plan, said, split)
        tally = Tally(self._prices)
        tally.add(done, batch=False)
        with self._store.writing() as db:
            if points:
                cache.save(db, self._clock.now())
            tally.save(db, workspace, "direct")
            save_billed(db, [number])
        if do in ODD_CONTENTS and not params.get("stream"):
            done = done._replace(answer=said._replace(content=ODD_CONTENTS[do]))
        return message_of(done, b"msg_01" + secrets.token_hex(11).encode()), said.output_tokens

    def _told(self, workspace: str, plan: Plan, number: int) -> Mark | None:
        mark = plan.mark
        if mark is not None and (mark.times is None or self._desk.seen_before(number) < mark.times):
            return mark
        return self._faults.for_message(workspace)

    def _terms(self, call: Call) -> Terms:
        return Terms(
            prices=self._prices,
            batch=False,
            strict=call.caller.strict,
            betas=call.caller.betas,
            now_us=self._clock.now(),
        )

    async def count_tokens(self, call: Call) -> Response:
        """`POST /v1/messages/count_tokens`: free, limited by itself, and not for all that messages take."""
        params, raw = await call.json(MAX_BODY_BYTES)
        now = self._clock.now()
        wait_s = self._count_bucket.wait_s(1, now)
        if wait_s > 0:
            raise Refusal(429, retry_after=math.ceil(wait_s))
        self._count_bucket.take(1, now)
        for key in ("max_tokens", "stream"):
            if key in params:
                raise Refusal(400, f"{key}: Extra inputs are not permitted")
        uncounted = counting.refusal(params)
        if uncounted is not None:
            raise Refusal(400, uncounted)
        terms = self._terms(call)
        model = self._prices.model(str(params.get("model")))
        # as much as there can be: a thinking budget, which counting knows too, has to fit into it
        max_output = 1 if model is None else model.max_output_tokens
        rest: Any = {key: value for key, value in params.items() if key != "messages"} | {"max_tokens": max_output}
        plan = Plans(terms, 1, tier="standard").of(rest)
        problem = plan.problem or problem_of(
            plan, rest, params.get("messages"), terms, cached=b'"cache_control"' in raw
        )
        if problem is not None:
            raise _refusal(problem)
        return JSON({"input_tokens": prompt_tokens(params)})

    async def models(self, call: Call) -> Response:
        """`GET /v1/models`, in the order of the price list."""
        limit = call.query_int("limit", 20, 1, 1000)
        now = self._clock.now()
        names = [model for model in self._prices.models.values() if not ended(model, now)]
        ids = [model.name for model in names]
        after, before = call.request.query_params.get("after_id"), call.request.query_params.get("before_id")
        if any(cursor is not None and cursor not in ids for cursor in (after, before)):
            raise Refusal(404)
        if before is not None:
            end = ids.index(before)
            start, more = max(0, end - limit), end > limit
        else:
            start = 0 if after is None else ids.index(after) + 1
            end, more = start + limit, start + limit < len(ids)
        page = [_model_info(model) for model in names[start:end]]
        return JSON(
            {
                "data": page,
                "has_more": more,
                "first_id": page[0]["id"] if page else None,
                "last_id": page[-1]["id"] if page else None,
            }
        )

    async def model(self, call: Call) -> Response:
        """`GET /v1/models/{id}`."""
        name = str(call.request.path_params["model_id"])
        model = self._prices.model(name)
        if model is None or ended(model, self._clock.now()):
            raise Refusal(404, f"model: {name}")
        return JSON(_model_info(model))


def _refusal(problem: Problem) -> Refusal:
    return Refusal(STATUS_BY_TYPE.get(problem.type, 400), problem.message, type_=problem.type)


def _model_info(model: Model) -> dict[str, object]:
    released = model.released
    created = (
        datetime(released.year, released.month, released.day, tzinfo=UTC)
        if released
        else datetime.fromtimestamp(0, UTC)
    )
    retires = model.end_of_life
    return {
        "type": "model",
        "id": model.name,
        "display_name": model.display_name,
        "created_at": created.isoformat().replace("+00:00", "Z"),
        "lifecycle": "active" if retires is None else "deprecated",
        "deprecated_at": None,
        "retires_at": None if retires is None else f"{retires.isoformat()}T00:00:00Z",
        "line": model.name.split("-")[1],
        "max_input_tokens": model.context_tokens,
        "max_tokens": model.max_output_tokens,
        "capabilities": _capabilities(model),
    }


def _capabilities(model: Model) -> dict[str, object]:
    yes, no = {"supported": True}, {"supported": False}
    efforts = ("low", "medium", "high", "max", "xhigh")
    return {
        "batch": yes,
        "citations": yes,
        "code_execution": yes,
        "context_management": {
            "supported": False,
            "clear_thinking_20251015": no,
            "clear_tool_uses_20250919": no,
            "compact_20260112": no,
        },
        "effort": {"supported": True, **dict.fromkeys(efforts, yes)},
        "image_input": yes,
        "pdf_input": yes,
        "server_tools": {"supported": False, "code_execution": no, "web_search": no},
        "structured_outputs": yes,
        "thinking": {
            "supported": True,
            "types": {
                "adaptive": yes,
                "between_tools": no,
                "disabled": no if "thinking_disabled" in model.rejects else yes,
                "enabled": no if "thinking_enabled" in model.rejects else yes,
            },
        },
    }
