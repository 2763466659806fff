"""The contract as JSON Schemas: what crosses between Overnight and a product, for a client in any language.

They are made from the types by which the code itself writes and reads; a field's description is its docstring there.
Within a version fields may be added: a schema lets pass what it doesn't know, and requires what every message of its
version has. `x-redis` says where a message goes; `contentSchema` what the text of a field is in its turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Final

from pydantic import BaseModel, ConfigDict

from overnight_models import routes
from overnight_models.wire import acknowledgement, message, outcome, question, webhook
from overnight_models.wire.acknowledgement import Acknowledgements
from overnight_models.wire.envelope import Canvas, Envelope
from overnight_models.wire.message import AcceptArguments, ItemLine
from overnight_models.wire.outcome import Outcome, Problem
from overnight_models.wire.question import ConfirmArguments, ConfirmReply, OutcomeArguments, OutcomeReply
from overnight_models.wire.webhook import BesideOutcome, WebhookBody, WebhookReply

Schema = dict[str, object]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ADDED_TO_OUTCOMES: Final = ("deadline", "earlier_cost_usd", "late_s", "model_why")
"""Fields of version 1 that 0.1.0 didn't write yet: its messages may still be in a queue."""
_UUIDS: Final = (
    ("ItemLine", "id"),
    ("AcceptArguments", "message_id"),
    ("Outcome", "item_id"),
    ("Outcome", "delivery_id"),
    ("ConfirmArguments", "reply_to"),
    ("OutcomeArguments", "reply_to"),
    ("ItemAbout", "id"),
    ("ItemAbout", "message_id"),
)
_CALLBACKS: Final = (("task", "queue"), ("webhook",))
"""What a callback has to say, either of it."""
_IN_PYTHON: Final = (("None", "null"), ("True", "true"), ("False", "false"))


class _Contract(BaseModel):
    """All types of the contract, so that one run describes them."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    envelope: Envelope
    canvas: Canvas
    arguments: AcceptArguments
    line: ItemLine
    outcome: Outcome
    beside: BesideOutcome
    acknowledgements: Acknowledgements
    body: WebhookBody
    reply: WebhookReply
    confirm: ConfirmArguments
    confirm_reply: ConfirmReply
    outcome_question: OutcomeArguments
    outcome_reply: OutcomeReply


def schema(name: str) -> Schema:
    """One JSON Schema (2020-12) of `NAMES`. Raises ValueError for another name."""
    if name not in NAMES:
        raise ValueError(f"there is no schema {name!r}: there are {', '.join(NAMES)}")
    make, version, description = _MADE[name]
    top = make()
    head: Schema = {
        "$schema": DIALECT,
        "$id": f"urn:overnight:{name}:{version}",
        "title": name,
        "description": description,
    }
    return head | top | {"$defs": {kind: _kinds()[kind] for kind in sorted(_reached(top))}}


def _task_of_ours(task: str, arguments: str) -> Schema:
    """A message for one of Overnight's own tasks, in the queue of its name."""
    body = _array([_array([], "no arguments by position"), _ref(arguments), _ref("Canvas")])
    return _enveloped(task, body) | {"x-redis": {"command": "LPUSH", "key": task}}


def _reply(kind: str) -> Schema:
    """An answer to a question: what was asked for, or an error."""
    taken = {"command": "BLPOP", "key": routes.REPLY_KEY.format("{reply_to of the question}")}
    return _ref(kind) | {"anyOf": [{"required": ["answer"]}, {"required": ["error"]}], "x-redis": taken}


def _callback() -> Schema:
    arguments: Schema = {
        "type": "array",
        "prefixItems": [_ref("OutcomeAtCallback")],
        "minItems": 1,
        "description": "The outcome, then the `args` of the item's callback.",
    }
    named: Schema = {"type": "object", "description": "The `kwargs` of the item's callback."}
    taken = {"command": "BRPOP", "key": "the `queue` of the item's callback"}
    return _enveloped(None, _array([arguments, named, _ref("Canvas")])) | {"x-redis": taken}


def _acknowledgement() -> Schema:
    return _ref("Acknowledgements") | {"x-redis": {"command": "LPUSH", "key": routes.ACKS_KEY}}


def _webhook() -> Schema:
    return _ref("WebhookBody")


_MADE: Final[Mapping[str, tuple[Callable[[], Schema], int, str]]] = {
    "accept": (
        lambda: _task_of_ours(routes.ACCEPT, "AcceptArguments"),
        message.VERSION,
        "What a product pushes to have items sent: a Celery message with items.",
    ),
    "confirm": (
        lambda: _task_of_ours(routes.ANSWER, "ConfirmArguments"),
        question.VERSION,
        "What a product pushes to know what became of accept messages. What has a verdict can't be lost.",
    ),
    "confirm-reply": (
        lambda: _reply("ConfirmReply"),
        question.VERSION,
        "The answer to `confirm`, on a list of the question's own for a minute.",
    ),
    "callback": (_callback, outcome.VERSION, "What comes into the queue of an item's callback: its outcome."),
    "outcome": (lambda: _ref("Outcome"), outcome.VERSION, "What came back for an item, in every place where it is."),
    "outcome-question": (
        lambda: _task_of_ours(routes.ANSWER, "OutcomeArguments"),
        question.VERSION,
        "What a product pushes to read an item's outcome, such as a large answer that came as a `claim`.",
    ),
    "outcome-reply": (
        lambda: _reply("OutcomeReply"),
        question.VERSION,
        "The answer to `outcome-question`, on a list of the question's own for a minute.",
    ),
    "acknowledgement": (
        _acknowledgement,
        acknowledgement.VERSION,
        "What a callback pushes whose message has a header `overnight_ack`, when its work is done.",
    ),
    "webhook": (_webhook, webhook.VERSION, "The body of a webhook; its headers are those of Standard Webhooks."),
    "webhook-reply": (
        lambda: _ref("WebhookReply"),
        webhook.VERSION,
        "What an endpoint may answer with a status of 2xx when it took only some of a webhook's outcomes.",
    ),
}
NAMES: Final = tuple(_MADE)


@cache
def _kinds() -> dict[str, Schema]:
    """Every type's schema, by its name."""
    described = _Contract.model_json_schema(mode="serialization", ref_template="#/$defs/{model}")
    kinds: dict[str, Schema] = {name: _tidy(kind) for name, kind in described["$defs"].items()}
    for kind, name in _UUIDS:
        _field(kinds, kind, name)["format"] = "uuid"
    lines: Schema = {"contentMediaType": "application/jsonl", "contentSchema": _ref("ItemLine")}
    _field(kinds, "AcceptArguments", "items").update(lines)
    result = kinds["Outcome"]
    del _fields(result)["extra"]
    result["required"] = [name for name in _fields(result) if name not in _ADDED_TO_OUTCOMES]
    for kind, name, words, types in (
        ("Outcome", "problem", [problem.value for problem in Problem], ["string", "null"]),
        ("WebhookBody", "type", [webhook.OUTCOMES, webhook.TEST], "string"),
    ):  # a later version may say another word
        field = _field(kinds, kind, name)
        kinds[kind]["properties"] = _fields(kinds[kind]) | {
            name: {"description": field["description"], "anyOf": [{"enum": words}, {"type": types}]}
        }
    ways = [{"required": [*names]} for names in _CALLBACKS if set(names) <= set(_fields(kinds["CallbackLine"]))]
    kinds["CallbackLine"]["anyOf"] = ways
    kinds["OutcomeAtWebhook"] = result | {"properties": _fields(result) | _fields(kinds["BesideOutcome"])}
    claim = {"claim": _field(kinds, "BesideOutcome", "claim")}
    kinds["OutcomeAtCallback"] = result | {"properties": _fields(result) | claim}
    _field(kinds, "WebhookBody", "data")["items"] = _ref("OutcomeAtWebhook")
    return kinds


def _enveloped(task: str | None, body: Schema) -> Schema:
    """A message for a task, or for any, whose body is that once more as text."""
    text: Schema = {"contentMediaType": "application/json", "contentSchema": body}
    only: Schema = {} if task is None else {"headers": {"properties": {"task": {"const": task}}}}
    return {"allOf": [_ref("Envelope")], "properties": {"body": text} | only}


def _array(parts: list[Schema], description: str = "") -> Schema:
    """An array of exactly these parts."""
    said: Schema = {"description": description} if description else {}
    if not parts:
        return {"type": "array", "maxItems": 0} | said
    return {"type": "array", "prefixItems": parts, "minItems": len(parts), "maxItems": len(parts)} | said


def _ref(kind: str) -> Schema:
    return {"$ref": f"#/$defs/{kind}"}


def _reached(part: object) -> set[str]:
    """The types that a schema names, straight or through others."""
    reached: set[str] = set()
    ahead = list(_named(part))
    while ahead:
        kind = ahead.pop()
        if kind not in reached:
            reached.add(kind)
            ahead += _named(_kinds()[kind])
    return reached


def _named(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(named := part.get("$ref"), str):
            yield named.rpartition("/")[2]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _named(inner)


def _fields(kind: Schema) -> dict[str, Schema]:
    fields = kind["properties"]
    assert isinstance(fields, dict)
    return fields


def _field(kinds: dict[str, Schema], kind: str, name: str) -> Schema:
    return _fields(kinds[kind])[name]


def _tidy(kind: Schema) -> Schema:
    """A type's schema without what only Python has: titles and defaults of fields, its words for null and true."""
    tidy = {name: value for name, value in kind.items() if name != "title"}
    if isinstance(said := tidy.get("description"), str):
        tidy["description"] = _in_json(said)
    if "properties" in tidy:
        tidy["properties"] = {name: _tidy_field(field) for name, field in _fields(kind).items()}
    return tidy


def _tidy_field(field: Schema) -> Schema:
    return {name: value for name, value in _tidy(field).items() if name != "default"}


def _in_json(said: str) -> str:
    text = " ".join(said.split())
    for python, json in _IN_PYTHON:
        text = re.sub(rf"\b{python}\b", json, text)
    return text
