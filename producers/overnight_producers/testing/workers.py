"""Who stands in for Redis and the workers in a test: takes items in, and answers questions, at once, in this process.

It is told what Redis would be told, command by command, so nothing of the product's side is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import orjson

from overnight_models import exact_json, routes
from overnight_models.errors import NotFinished
from overnight_models.request.prefix import Prefix
from overnight_models.states import ITEM
from overnight_models.wire.envelope import read_envelope
from overnight_models.wire.inbox import InboxRow
from overnight_models.wire.message import ItemLine, read_lines
from overnight_models.wire.policy import Policy
from overnight_models.wire.verdict import Fault, VerdictDocument
from overnight_producers.steps import Command, Reply, Word
from overnight_producers.testing.answers import Failure, finish, read_answer
from overnight_producers.testing.items import Enqueued
from overnight_producers.testing.transactions import on_rollback

About: TypeAlias = Mapping[str, Any]
"""What a message says, as the product's side has written it."""

_PATIENCE_S: Final = 0.5
"""Of a call that waits, in all, while nothing is delivered."""


class Workers:
    """Takes in what a product enqueues.

    policy: what it may enqueue.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.items: list[Enqueued] = []
        self.acknowledged: list[str] = []
        self.moved = timedelta(0)
        """How far the test has moved its clock; each item counts from its own time on."""
        self.waited_s = 0.0
        """Since something was last delivered."""
        self._strings: dict[str, bytes] = {}
        self._replies: dict[str, list[bytes]] = {}
        self._verdicts: dict[str, VerdictDocument] = {}
        self._rejected: dict[str, str] = {}
        """By item id, why it was turned down."""

    # --- what Redis does -------------------------------------------------------------------------------------------

    def commands(self, commands: Sequence[Command]) -> list[Reply]:
        """The replies to some commands."""
        return [self._command(*command) for command in commands]

    def pop(self, key: str) -> bytes | None:
        """The first of a list; None when it is empty."""
        replies = self._replies.get(key)
        return replies.pop(0) if replies else None

    def paused(self, seconds: float) -> None:
        """A call has waited for so long. Raises NotFinished once it is clear that it waits for nothing."""
        self.waited_s += seconds
        if self.waited_s > _PATIENCE_S:
            self.waited_s = 0.0
            raise NotFinished("in this test nothing comes by itself: `overnight.deliver(item, answer)` before you wait")

    def row(self, row: InboxRow, session: object) -> None:
        """A row of the inbox table, which a relay would take on, unless it is rolled back."""
        before = len(self.items)
        self._accept(row._asdict() | {"message_id": str(row.message_id)})
        new = self.items[before:]

        def forget() -> None:
            self.items[:] = [item for item in self.items if item not in new]

        on_rollback(session, forget)

    def _command(self, name: Word, key: Word, *words: Word) -> Reply:
        if name == "EXPIRE":
            return int(str(key) in self._strings)
        if name == "SET":
            self._strings[str(key)] = _bytes(words[0])
            return True
        if name == "GET":
            return self._strings.get(str(key))
        if name == "LPUSH" and key == routes.ACKS_KEY:
            self.acknowledged += [str(word) for word in words]
            return len(words)
        if name == "LPUSH":
            self._take(_bytes(words[0]))
            return 1
        raise NotImplementedError(f"{name!r} of Redis is unknown to the test kit")

    def _take(self, raw: bytes) -> None:
        read = read_envelope(raw)
        task, arguments = read if read is not None else ("", {})
        if task == routes.ACCEPT:
            self._accept(arguments)
        elif task == routes.ANSWER:
            question, about = arguments["question"], arguments["about"]
            ask = self._questions.get(question)
            said = {"error": f"the test kit can't answer {question!r}"} if ask is None else {"answer": ask(self, about)}
            self._replies.setdefault(routes.REPLY_KEY.format(arguments["reply_to"]), []).append(exact_json.dumps(said))

    # --- accepting -------------------------------------------------------------------------------------------------

    def _accept(self, arguments: About) -> None:
        verdict: VerdictDocument = {"accepted": 0, "known": 0, "rejected": [], "delivered": 0, "redone": 0}
        for index, line in enumerate(read_lines(arguments["items"], arguments.get("encoding"))):
            item = self._item(exact_json.loads(line), arguments["lane"], arguments.get("run"))
            if_known = exact_json.loads(line).get("if_known", "conflict")
            why = self._admit(item, if_known, verdict)
            if why is not None:
                self._rejected[item.item_id] = why
                fault: Fault = {"index": index, "key": item.key, "why": why, "id": item.item_id}
                verdict["rejected"].append(fault)
        self._verdicts[arguments["message_id"]] = verdict

    def _item(self, line: ItemLine, lane: str, run: str | None) -> Enqueued:
        params: dict[str, object] = dict(line["params"])
        if line.get("prefix"):
            prefix = Prefix(self._strings[routes.PREFIX_KEY.format(line["prefix"])])
            params = exact_json.loads(prefix.splice(prefix.own(params)))
        return Enqueued(
            item_id=line["id"],
            key=line["key"],
            lane=lane,
            params=params,
            run=run,
            tenant=line.get("tenant"),
            trace_id=line.get("trace_id"),
            betas=line.get("betas", ()),
            output=line.get("output"),
            callback=line.get("callback"),
            deadline=line.get("deadline"),
            give_up_at=line.get("give_up_at"),
            enqueued_at=datetime.now(UTC).isoformat(),
            born=self.moved,
        )

    def _admit(self, item: Enqueued, if_known: str, verdict: VerdictDocument) -> str | None:
        """Take an item in. Returns why it is turned down; None when it isn't."""
        known = self._of_key(item.lane, item.key)
        if known is None:
            verdict["accepted"] += 1
            self.items.append(item)
            return None
        if if_known == "redo" and known.state in ("failed", "canceled"):
            verdict["accepted"] += 1
            verdict["redone"] = verdict.get("redone", 0) + 1
            known.state, item.redos, item.item_id = "redone", known.redos + 1, known.item_id
            self.items.append(item)
            return None
        if known.content != item.content:
            return f"key {item.key!r} has an item with other content"
        verdict["known"] += 1
        if (known.callback, known.run, known.tenant, known.trace_id) == (
            item.callback, item.run, item.tenant, item.trace_id,
        ):  # fmt: skip
            return None
        if if_known == "deliver":
            verdict["delivered"] = verdict.get("delivered", 0) + 1
            item.follows = known
            self.items.append(item)
            return None
        verdict["known"] -= 1
        return f"key {item.key!r} has an item with another callback, run, tenant or trace_id"

    # --- questions -------------------------------------------------------------------------------------------------

    def _of_key(self, lane: str, key: str) -> Enqueued | None:
        """The item that has a key now."""
        items = (item for item in reversed(self.items) if item.state != "redone" and item.follows is None)
        return next((item for item in items if (item.lane, item.key) == (lane, key)), None)

    def find(self, about: About) -> Enqueued | None:
        """The item that a question is about."""
        if about.get("id") is None:
            return self._of_key(about["lane"], about["key"])
        own = (item for item in reversed(self.items) if item.item_id == about["id"])
        return next(own, None) or self._of_key(about["lane"], about["key"])

    def _confirm(self, about: About) -> object:
        return {message_id: self._verdicts.get(message_id) for message_id in about["message_ids"]}

    def _outcome(self, about: About) -> object:
        if why := self._rejected.get(about.get("id") or ""):
            return {"rejected": why}
        item = self.find(about)
        return None if item is None else {"state": item.state, "outcome": item.document}

    def _cancel(self, about: About) -> object:
        if why := self._rejected.get(about.get("id") or ""):
            return {"rejected": why}
        item = self.find(about)
        if item is None:
            return "unknown"
        if item.state not in ("waiting", "canceled"):
            return "too_late"
        if item.state == "waiting":
            item.is_taken_back = True
            age = self.moved - item.born
            finish(item, read_answer(item, Failure("canceled")), datetime.fromisoformat(item.enqueued_at) + age)
        return "canceled"

    def _redo(self, about: About) -> object:
        item = self.find(about)
        if item is None:
            return None
        if item.state not in ("failed", "canceled"):
            why = "it isn't final yet" if item.state == "waiting" else "it has its answer"
            return {"refused": f"{why}: only what failed or was canceled is tried again"}
        item.state, item.document, item.redos, item.is_taken_back = "waiting", None, item.redos + 1, False
        return {"receipt": item.item_id}

    def _run(self, about: About) -> object:
        states: dict[str, int] = {}
        for item in self._of_run(about["run"]):
            states[item.state] = states.get(item.state, 0) + 1
        return states or None

    def _outcomes(self, about: About) -> object:
        lane, problem = about.get("lane"), about.get("problem")
        documents = [
            item.document
            for item in self._of_run(about["run"])
            if item.document is not None and lane in (None, item.lane)
        ]
        if problem is not None:
            documents = [of for of in documents if not of["ok"] and problem in ("any", of["problem"])]
        return {"outcomes": documents, "next": None}

    def _of_run(self, run: str) -> Iterator[Enqueued]:
        return (item for item in self.items if item.run == run and item.state != "redone")

    _questions: Final[Mapping[str, Callable[..., object]]] = {
        "confirm": _confirm,
        "outcome": _outcome,
        "cancel": _cancel,
        "redo": _redo,
        "run": _run,
        "outcomes": _outcomes,
    }


def is_final(item: Enqueued) -> bool:
    """Whether it has its outcome."""
    return item.state in ITEM.final


def _bytes(word: Word) -> bytes:
    return word if isinstance(word, bytes) else orjson.dumps(word) if isinstance(word, int) else word.encode()
