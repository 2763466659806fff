"""The prefix: what many requests begin with (tools, system, leading messages), stored once and sent once, by its hash.

The prefix and what is left of a request, its own part, are both JSON objects, so that splicing them again is putting
two byte strings together. Where a request was cut doesn't show: spliced, it is the same bytes.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Final, Literal

from overnight_models import exact_json
from overnight_models.request.breakpoint import mark_last

SMALLEST: Final = 1_000
"""Bytes of a prefix below which none is cut off: they save less than they cost."""
KEPT_S: Final = 7 * 86_400
"""How long Redis keeps a prefix after it was last used; Postgres has it long before."""
FEWEST_BYTES_PER_TOKEN: Final = 3
"""A prefix is rather taken for too long than for too short: a mark on too few tokens costs nothing."""
MARK_BYTES: Final = 80
"""What a breakpoint adds to a request, at most."""

_FIELDS: Final = ("tools", "system", "messages")
_BREAKPOINT: Final = b'"cache_control"'
_MOST_BREAKPOINTS: Final = 4


@dataclass(frozen=True)
class Prefix:
    """What many requests begin with."""

    document: bytes
    """JSON: {"tools", "system", "messages"}, as many of them as it has, in this order, without blanks."""

    @classmethod
    def of(cls, fields: object) -> Prefix:
        """From tools, system and leading messages. Raises ValueError when it is none."""
        if not isinstance(fields, Mapping) or not fields or not fields.keys() <= set(_FIELDS):
            raise ValueError("a prefix is an object of `tools`, `system` and `messages`, and of nothing else")
        if "messages" in fields and not (isinstance(fields["messages"], list) and fields["messages"]):
            raise ValueError("a prefix's `messages` must be a list that isn't empty")
        return cls(exact_json.dumps({name: fields[name] for name in _FIELDS if name in fields}))

    @cached_property
    def hash(self) -> str:
        """Its name: the SHA-256 of its document, in hex."""
        return hash_of(self.document)

    @cached_property
    def head(self) -> bytes:
        """The beginning of the request as it is sent."""
        return self.document[:-2] + b"," if self._ends_in_messages else self.document[:-1] + b","

    @cached_property
    def _ends_in_messages(self) -> bool:
        return "messages" in self._fields

    @cached_property
    def _fields(self) -> frozenset[str]:
        return frozenset(exact_json.loads(self.document))

    @cached_property
    def tools(self) -> Mapping[str, object]:
        """Its `tools`, as a part of a request's params; empty when it has none."""
        return {name: value for name, value in exact_json.loads(self.document).items() if name == "tools"}

    def own(self, params: Mapping[str, object]) -> bytes:
        """An item's own params as JSON, its messages first: the prefix's go on there."""
        return exact_json.dumps({"messages": params["messages"]} | dict(params) if self._ends_in_messages else params)

    def after_head(self, own: bytes) -> bytes:
        """What follows the head: an item's own part without its opening."""
        return own[len(b'{"messages":[') if self._ends_in_messages else len(b"{") :]

    def splice(self, own: bytes) -> bytes:
        """The whole request."""
        return self.head + self.after_head(own)

    def own_part(self, whole: bytes) -> bytes | None:
        """What a whole request has beside this; None when it begins with something else."""
        opening = b'{"messages":[' if self._ends_in_messages else b"{"
        return opening + whole[len(self.head) :] if whole.startswith(self.head) else None

    def content_hasher(self, own: bytes) -> hashlib.blake2b:
        """The hasher of the whole request, 16 bytes; the head is hashed once."""
        hasher = self._hashed_head.copy()
        hasher.update(self.after_head(own))
        return hasher

    @cached_property
    def _hashed_head(self) -> hashlib.blake2b:
        return hashlib.blake2b(self.head, digest_size=16)

    def faults(self, params: Mapping[str, object]) -> list[str]:
        """What keeps an item's own params from going on where this ends."""
        twice = sorted((self._fields - {"messages"}) & params.keys())
        return [f"`{name}` stands in the prefix and in `params`: leave it out of one of them" for name in twice]

    def marked_head(self, lifetime: Literal["5m", "1h"]) -> bytes | None:
        """The head with a breakpoint at the last place that may bear one.

        None where its caller set breakpoints, or no block may bear one.
        """
        if _BREAKPOINT in self.document:
            return None
        fields = exact_json.loads(self.document)
        return Prefix(exact_json.dumps(fields)).head if mark_last(fields, lifetime) else None


def hash_of(document: bytes) -> str:
    """The name of a prefix with this document."""
    return hashlib.sha256(document).hexdigest()


def has_room_for_a_breakpoint(own: bytes, lifetime: Literal["5m", "1h"]) -> bool:
    """Whether a breakpoint may stand before an item's own part: of four at most, and the longer lifetimes first."""
    theirs = own.count(_BREAKPOINT)
    return theirs < _MOST_BREAKPOINTS and not (theirs and lifetime == "5m" and b'"1h"' in own)


class Cutter:
    """Cuts off what a process's requests begin with, from the second time on that it sees it.

    Safe in threads. Bounded: what was seen longest ago is forgotten, and then sent whole once more.
    """

    _MOST_BYTES: Final = 32_000_000

    def __init__(self) -> None:
        self._lock = Lock()
        self._seen: OrderedDict[str, Prefix] = OrderedDict()
        self._bytes = 0

    def cut(self, params: Mapping[str, object]) -> tuple[Prefix, bytes] | None:
        """A request's prefix and its own part; None when its beginning is new, or short."""
        for fields, last in _beginnings(params):
            prefix = self._met_again(Prefix.of(fields))
            if prefix is not None:
                own = {name: value for name, value in params.items() if name not in fields}
                return prefix, prefix.own(own | last)
        return None

    def _met_again(self, prefix: Prefix) -> Prefix | None:
        """The prefix as it is kept, if it is; equal ones are one object, or a thousand items would hold as many."""
        if len(prefix.document) < SMALLEST:
            return None
        with self._lock:
            known = self._seen.get(prefix.hash)
            if known is not None:
                self._seen.move_to_end(prefix.hash)
                return known
            self._seen[prefix.hash] = prefix
            self._bytes += len(prefix.document)
            while self._bytes > self._MOST_BYTES:
                _, forgotten = self._seen.popitem(last=False)
                self._bytes -= len(forgotten.document)
            return None


def _beginnings(params: Mapping[str, object]) -> Iterator[tuple[dict[str, object], dict[str, object]]]:
    """The beginnings of a request that others may share, the longest first; each with the messages that follow it."""
    rules = {name: params[name] for name in ("tools", "system") if params.get(name)}
    messages = params.get("messages")
    if isinstance(messages, (list, tuple)) and len(messages) > 1:
        yield {**rules, "messages": list(messages[:-1])}, {"messages": messages[-1:]}
    if rules:
        yield rules, {}
