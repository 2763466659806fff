"""Whether an item may be accepted: the same check at enqueue and at accept.

An item may come from another language, so every field is looked at before it is believed: one that the database, the
API or Celery would choke on later would take others down with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeGuard

from overnight_models.request import request
from overnight_models.request.cuttable import is_place
from overnight_models.request.moments import moment_faults
from overnight_models.request.quoted import quoted
from overnight_models.wire.message import IF_KNOWN, WEBHOOK, ItemLine
from overnight_models.wire.policy import LanePolicy, Policy

_BETA: Final = re.compile(r"[A-Za-z0-9._-]+")
_USUAL: Final = frozenset({"id", "key", "params", "callback"})
"""Fields that nearly every item has, and most have no others."""
_ARGUMENTS: Final = (("args", (list, tuple), "a list"), ("kwargs", dict, "an object"))


def lane_faults(lane: str, policy: Policy) -> list[str]:
    """What is wrong with a lane's name."""
    if lane in policy.lanes:
        return []
    return [f"there is no lane {lane!r}: the configuration has {', '.join(sorted(policy.lanes))}"]


def item_faults(item: ItemLine, *, lane: str, size: int, policy: Policy, may_hold_nul: bool = True) -> list[str]:
    """What is wrong with an item, one sentence each; empty when it may be accepted.

    size: bytes of the item as it is sent.
    may_hold_nul: False when its JSON is known to be without an escaped one, which spares a look into every argument.
    """
    rules = policy.lanes.get(lane)
    if rules is None:
        return lane_faults(lane, policy)
    models = None if rules.unknown_price == "accept" else policy.models
    faults = request.faults(
        item.get("params"),
        models=models,
        api_version=rules.api_version,
        betas=_betas(item.get("betas")) or (),
        names_model=not rules.models,
    )
    if size > rules.max_bytes:
        faults.append(f"the request has {size:,} bytes; lane {lane!r} takes {rules.max_bytes:,} at most")
    key = item.get("key")
    if not _is_text(key) or not 1 <= len(key) <= 512:
        faults.append("`key` must be a text of 1 to 512 characters, without NUL")
    if not _USUAL.issuperset(item):
        faults += _faults_of_wishes(item)
    callback: object = item.get("callback")
    if callback is not None:
        faults += _callback_faults(callback, lane, rules, policy)
        if may_hold_nul and _holds_nul(callback):
            faults.append("`callback` must be without NUL, in its arguments too")
    return faults


def _faults_of_wishes(item: ItemLine) -> list[str]:
    """What is wrong with fields that few items have."""
    faults = []
    for name, text in (("tenant", item.get("tenant")), ("trace_id", item.get("trace_id"))):
        if text is not None and not _is_text(text):
            faults.append(f"`{name}` must be a text without NUL")
    if _betas(item.get("betas")) is None:
        faults.append(
            "`betas` must be a list of names for the anthropic-beta header, such as ['output-300k-2026-03-24']"
        )
    if item.get("output") is not None and not isinstance(item.get("output"), dict):
        faults.append("`output` must be a JSON schema: an object")
    if item.get("cuttable") is not None and not is_place(item.get("cuttable")):
        faults.append(
            "`cuttable` must say where a text stands: `system`, `messages.0.content`, `messages.0.content.1.text`"
        )
    if item.get("if_known") is not None and item.get("if_known") not in IF_KNOWN:
        faults.append(f"`if_known` must be one of {', '.join(IF_KNOWN)}, not {quoted(item.get('if_known'))}")
    if item.get("deadline") is not None or item.get("give_up_at") is not None:
        faults += moment_faults(item)
    return faults


def _callback_faults(callback: object, lane: str, rules: LanePolicy, policy: Policy) -> list[str]:
    if not isinstance(callback, dict):
        form = "an object with a `task` and a `queue`, or with a `webhook`"
        return [f"`callback` must be {form} (in Python: save_copy.s(…), or webhook('NAME'))"]
    if "webhook" in callback:
        return _webhook_faults(callback, lane, rules, policy)
    faults = []
    task, queue, broker = callback.get("task"), callback.get("queue"), callback.get("broker")
    if not (task and queue and _is_text(task) and _is_text(queue)):
        faults.append("`callback` needs a `task` and the `queue` its workers listen on, or a `webhook`")
    elif not rules.allows(task):
        faults.append(
            f"lane {lane!r} doesn't allow the callback {quoted(task)}: it allows {', '.join(rules.callbacks)}"
        )
    for name, kind, form in _ARGUMENTS:
        if callback.get(name) is not None and not isinstance(callback[name], kind):
            faults.append(f"`callback`'s `{name}` must be {form}")
    if not isinstance(callback.get("ack"), bool | None):
        faults.append("`callback`'s `ack` must be true or false")
    if broker is not None and broker not in policy.brokers:
        known = ", ".join(policy.brokers) or "none"
        faults.append(f"no broker {quoted(broker)} for a `callback` (known: {known}): configure it as [brokers.NAME]")
    return faults


def _webhook_faults(callback: dict[str, object], lane: str, rules: LanePolicy, policy: Policy) -> list[str]:
    name, faults = callback["webhook"], []
    if isinstance(name, str) and "://" in name:
        faults.append("`callback`'s `webhook` is the NAME of a [webhooks.NAME] of the configuration, never a URL")
    elif not isinstance(name, str) or name not in policy.webhooks:
        known = ", ".join(policy.webhooks) or "none"
        faults.append(f"no webhook {quoted(name)} for a `callback` (known: {known}): configure it as [webhooks.NAME]")
    elif not rules.allows(f"{WEBHOOK}{name}"):
        allowed = ", ".join(rules.callbacks)
        faults.append(f"lane {lane!r} doesn't allow the webhook {f'{WEBHOOK}{name}'!r}: it allows {allowed}")
    if callback.get("context") is not None and not isinstance(callback["context"], dict):
        faults.append("`callback`'s `context` must be an object")
    if others := sorted(set(callback) - {"webhook", "context"}):
        faults.append(f"a `callback` by `webhook` has no {', '.join(quoted(other) for other in others)}")
    return faults


def _is_text(value: object) -> TypeGuard[str]:
    """Whether it is a text that Postgres can keep."""
    return isinstance(value, str) and "\x00" not in value


def _holds_nul(value: object) -> bool:
    """Whether there is a NUL anywhere in a JSON value: Postgres couldn't read any of it then."""
    if isinstance(value, dict):
        return any(_holds_nul(part) for pair in value.items() for part in pair)
    if isinstance(value, (list, tuple)):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\x00" in value


def _betas(given: object) -> Sequence[str] | None:
    """The names for the header: none where none are given, and None where they aren't names."""
    if given is None:
        return ()
    return given if isinstance(given, (list, tuple)) and all(map(_is_beta, given)) else None


def _is_beta(value: object) -> bool:
    return isinstance(value, str) and _BETA.fullmatch(value) is not None
