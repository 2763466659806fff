"""Faults on demand: what shall go wrong, where, how often.

`PUT /sandbox/faults` with `{"rules": [RULE, ...]}` (or the bare list) replaces all rules, `POST` adds some,
`GET` shows them with how often each came up and fired, `DELETE` removes them. The command line's `--faults`
takes the same JSON. For example:

    {"at": "create", "do": "lose_answer", "count": 1}
    {"at": "create", "do": "status", "status": 504, "accepted": true, "rate": 0.1}
    {"at": "create", "do": "status", "status": 429, "retry_after": 7200}
    {"at": "list", "do": "late", "seconds": 5}
    {"at": "results", "do": "cut_at_line", "lines": 10, "count": 1}
    {"at": "item", "do": "errored", "type": "overloaded_error", "rate": 0.05}

How often: `rate` (a chance, 1 when absent, the same each time for the same `seed`), `count` (this many times,
then never), `after` (not the first so many), `every` (again for each so many: `"after": 90, "count": 10, "every": 100`
are bursts of ten). `workspace` limits a rule to one. The first rule that
contradicts a later one wins. Seconds are real time, whatever the sandbox's clock does; whatever waits for the end of
`delay`, `stall` or `status` goes on at once when its rule is taken back.

At `create`:
    status              with `status`, and if wanted `message`, `type`, `error_code`, `retry_after` (seconds, in the
                        form that `retry_after_as` says: seconds, ms or date), `html`, `seconds` (wait first) and
                        `accepted` (true: it was created all the same)
    lose_answer         accepted; the connection closes without an answer
    delay               accepted; the answer comes after `seconds`
    close_before_body, close_during_body, close_after_body    not accepted; the connection closes
    twice               accepted two times, as a gateway does that repeats a call: two batches of one body
    null_id, other_id   accepted; the answer's id is null, or that of another batch (`message` says which)
At every call: redirect, with `status` (307 when absent), `location` (another host when absent) and `accepted`.
At `cancel`, `delete`, `messages`, `count_tokens`, `models`: status, lose_answer, delay, close_before_body.
At `messages` moreover:
    close_during_body, close_after_body    not accepted, not billed; the connection closes
    no_retry_after      a 429 of the limits comes without the header
    and in the answer, which is billed whatever becomes of it, after `lines` events of a stream (half of them when
    absent; a whole answer: after half of its bytes):
    cut_body            it ends there, and looks whole to HTTP
    break_body, reset   the connection closes; is reset
    stall               nothing comes for `seconds`, then the rest
    slow                a stream is spread over `seconds`, with a ping before each event
    error_event         a stream goes on with an event `error` of `type` (overloaded_error when absent) and ends
    status with 200 is an error envelope under 200, and with `html` a page; `accepted` says whether it is billed.
At `list`: status, delay, close_before_body, empty, foreign_host (in results_url),
    late (a batch shows up only `seconds` after it was created; `rate` is the share of batches)
At `retrieve`: status, delay, close_before_body, foreign_host,
    missing (404; with `seconds`: while the batch is younger than that)
At `list` and `retrieve`: extra_counts (`request_counts` has a new integer key, `total`), counts_lag (it is one short)
At `list` and `retrieve`: odd_date (the header Date is `message`, or absent)
At `list`: repeat_page (`after_id` gets lost on the way), null_row (one more, that is null), no_created_at,
    nested_counts (`request_counts` of every row), no_has_more
At `results`: status, delay, close_before_body, missing (with `seconds`: since the batch ended), and in the stream:
    cut_mid_line, cut_at_line    ends like a whole one after `lines` lines (half of them when absent)
    reset, stall                 after `lines`: the connection breaks; nothing comes for `seconds`
    once_nested, bare_usage, extra_keys, no_message    lines of another shape than documented
    expired_first                every request has a line that says `expired` before all others, and then its own
    short               only `lines` lines (half of them when absent) until `seconds` after the batch ended
At `item`, for the requests of batches created from now on (and, as far as it makes sense, for messages):
    errored (`type`), expired, canceled, refused, cut_off, invalid_output, missing (no line), duplicate_line,
    unknown_type, unknown_stop, the shapes of answers that marks.py names, and what only some readers of JSON take:
    lone_surrogate, not_a_number, huge_number, big_integer, deep, garbled, cut_line. `rate` is a share of the items;
    `count` takes the first items that come.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from dataclasses import asdict, dataclass, fields

from overnight_workers.sandbox.draws import draw
from overnight_workers.sandbox.faults.marks import DEEDS as MARK_DEEDS
from overnight_workers.sandbox.faults.marks import Mark
from overnight_workers.sandbox.store import Store

_CALL = frozenset({"status", "redirect", "lose_answer", "delay", "close_before_body"})
_ROWS = frozenset({"null_row", "no_created_at", "nested_counts", "no_has_more"})
_COUNTS = frozenset({"extra_counts", "counts_lag"})
SHAPES = frozenset({"once_nested", "bare_usage", "extra_keys", "expired_first", "no_message"})
_RETRY_AFTER_FORMS = ("seconds", "ms", "date")
#: What becomes of a message's answer on its way.
ANSWER_DEEDS = frozenset({"cut_body", "break_body", "reset", "stall", "slow", "error_event"})
_LOOKS_EVERY_S = 0.02
_STREAM = frozenset({"cut_mid_line", "cut_at_line", "reset", "stall"})
DEEDS: dict[str, frozenset[str]] = {
    "create": _CALL | {"close_during_body", "close_after_body", "twice", "null_id", "other_id"},
    "list": _CALL | _COUNTS | _ROWS | {"empty", "late", "foreign_host", "odd_date", "repeat_page"},
    "retrieve": _CALL | _COUNTS | {"missing", "foreign_host", "odd_date"},
    "results": _CALL | {"missing", "short"} | SHAPES | _STREAM,
    "cancel": _CALL,
    "delete": _CALL,
    "messages": _CALL | {"close_during_body", "close_after_body", "no_retry_after"} | ANSWER_DEEDS,
    "count_tokens": _CALL,
    "models": _CALL,
    "item": MARK_DEEDS - {"reject", "answer_bytes"},
}


_ELSEWHERE = "https://elsewhere.sandbox.invalid/v1/messages/batches"


class FaultsInvalid(ValueError):
    """A rule that can't be followed. The message names it and says what would do."""


@dataclass(slots=True)
class Rule:
    """One fault, with how often it came up and fired."""

    at: str
    do: str
    rate: float = 1.0
    count: int | None = None
    after: int = 0
    every: int | None = None
    workspace: str | None = None
    seed: int = 0
    status: int = 500
    type: str | None = None
    message: str | None = None
    error_code: str | None = None
    location: str | None = None
    retry_after: float | None = None
    retry_after_as: str = "seconds"
    html: bool = False
    accepted: bool = False
    seconds: float | None = None
    lines: int | None = None
    came_up: int = 0
    fired: int = 0

    @property
    def standing(self) -> bool:
        """Whether it looks at each batch's age, and not at how often it came up."""
        return self.do in ("late", "missing", "short") and self.at != "item" and self.seconds is not None

    def concerns(self, at: str, workspace: str) -> bool:
        """Whether it is about this kind of call in this workspace."""
        return self.at == at and self.workspace in (None, workspace)

    def hides(self, age_s: float, fate: int) -> bool:
        """Whether a standing rule hides a batch of this age."""
        return age_s < (self.seconds or 0.0) and draw(self.seed, fate, 51) < self.rate

    def take_back(self) -> None:
        """Whoever waits for its end goes on."""
        self.seconds = 0.0

    async def lasts(self) -> None:
        """Wait for its seconds, or until it is taken back."""
        began = time.monotonic()
        while (left_s := began + (self.seconds or 0.0) - time.monotonic()) > 0:
            await asyncio.sleep(min(left_s, _LOOKS_EVERY_S))  # it is taken back in another thread


class Faults:
    """The rules in force. Rules and their counts are kept, so that a restart goes on where it was."""

    def __init__(self, store: Store, seed: int, given: list[dict[str, object]] | None) -> None:
        self._store = store
        self._seed = seed
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        kept = store.get("faults")
        if given is not None:
            self.replace(given)
        elif kept is not None:
            self._rules = [Rule(**rule) for rule in json.loads(kept)]

    def replace(self, rules: list[dict[str, object]], *, add: bool = False) -> None:
        """Put rules in force; all others go, unless they are to be added."""
        new = [_rule(number, rule, self._seed) for number, rule in enumerate(rules)]
        with self._lock:
            if not add:
                for rule in self._rules:
                    rule.take_back()
            self._rules = [*self._rules, *new] if add else new
            self._keep()

    def shown(self) -> list[dict[str, object]]:
        """The rules, without what is as usual."""
        defaults = {field.name: field.default for field in fields(Rule)}
        with self._lock:
            return [
                {
                    key: value
                    for key, value in asdict(rule).items()
                    if value != defaults[key] or key in ("came_up", "fired")
                }
                for rule in self._rules
            ]

    def fired(self, at: str, workspace: str) -> list[Rule]:
        """The rules that apply to one call."""
        if not self._rules:
            return []
        with self._lock:
            hits = [rule for rule in self._rules if rule.concerns(at, workspace) and self._fires(rule)]
            if any(rule.count is not None or rule.after for rule in hits):
                self._keep()
            return hits

    def for_items(self, workspace: str, requests: int) -> list[dict[str, object]]:
        """What shall happen to the items of a batch created now, in a form to keep with it."""
        if not self._rules:
            return []
        kept: list[dict[str, object]] = []
        with self._lock:
            for number, rule in enumerate(self._rules):
                if not rule.concerns("item", workspace):
                    continue
                fault: dict[str, object] = {
                    "do": rule.do,
                    "type": rule.type,
                    "seed": rule.seed + number,
                    "rate": rule.rate,
                }
                if rule.count is not None:
                    first = min(requests, rule.count - rule.fired)
                    rule.fired += first
                    fault["first"] = first
                rule.came_up += requests
                kept.append(fault)
            if kept:
                self._keep()
        return kept

    def for_message(self, workspace: str) -> Mark | None:
        """What shall happen to one message in real time, by the rules for items."""
        hits = self.fired("item", workspace)
        return Mark(hits[0].do, hits[0].type or "") if hits else None

    def _fires(self, rule: Rule) -> bool:
        if rule.standing:
            return True
        rule.came_up += 1
        if rule.every:
            place = (rule.came_up - 1) % rule.every
            if not rule.after <= place < rule.after + (rule.count or rule.every):
                return False
        elif rule.came_up <= rule.after or (rule.count is not None and rule.fired >= rule.count):
            return False
        if rule.rate < 1.0 and draw(rule.seed, rule.came_up, 52) >= rule.rate:
            return False
        rule.fired += 1
        return True

    def _keep(self) -> None:
        self._store.put("faults", json.dumps([asdict(rule) for rule in self._rules]))


def read_rules(value: object) -> list[dict[str, object]]:
    """The list of rules in a JSON value of either form."""
    rules = value.get("rules") if isinstance(value, dict) else value
    if not isinstance(rules, list):
        raise FaultsInvalid('faults are a list of rules, or {"rules": [...]}')
    return rules


def _rule(number: int, given: object, seed: int) -> Rule:
    known = {field.name for field in fields(Rule)} - {"came_up", "fired"}
    if not isinstance(given, dict):
        raise FaultsInvalid(f"rule {number}: not an object")
    given = {key: value for key, value in given.items() if key not in ("came_up", "fired")}
    unknown = sorted(given.keys() - known)
    if unknown:
        raise FaultsInvalid(f"rule {number}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    at, do = given.get("at"), given.get("do")
    if at not in DEEDS:
        raise FaultsInvalid(f"rule {number}: at {at!r} is not one of {', '.join(DEEDS)}")
    if do not in DEEDS[at]:
        raise FaultsInvalid(f"rule {number}: do {do!r} is not one of {', '.join(sorted(DEEDS[at]))}")
    usual = {"status": 307, "location": _ELSEWHERE} if do == "redirect" else {}
    rule = Rule(**{"seed": seed * 1000 + number, **usual, **given})
    if not 0 <= rule.rate <= 1:
        raise FaultsInvalid(f"rule {number}: rate {rule.rate} is not between 0 and 1")
    if do in ("delay", "late", "stall", "slow", "short") and rule.seconds is None:
        raise FaultsInvalid(f"rule {number}: {do} needs seconds")
    if rule.retry_after_as not in _RETRY_AFTER_FORMS:
        known_forms = ", ".join(_RETRY_AFTER_FORMS)
        raise FaultsInvalid(f"rule {number}: retry_after_as {rule.retry_after_as!r} is not one of {known_forms}")
    if rule.every is not None and not (at != "item" and rule.every >= 1):
        raise FaultsInvalid(f"rule {number}: every is a number of calls, 1 or more, and not for items")
    if rule.standing and rule.count is not None:
        raise FaultsInvalid(f"rule {number}: {do} with seconds looks at a batch's age and can't be counted")
    return rule
