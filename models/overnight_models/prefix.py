"""The prefix: what many requests begin with (tools, system, leading messages), stored once and sent once, by its hash.

A request that is cut is written in one order: tools, system, messages, and the rest as it was given. A cut divides that
text in two: the head, which many share, and what is the item's own. Both are kept as JSON that stands by itself, so
that splicing them again is putting two byte strings together: `prefix.head + params[len(prefix.opening):]`.
Wherever a request is cut, and if it is at all, together it is the same bytes.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import orjson

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GoesOn: TypeAlias = Literal["", "system", "messages", "user", "assistant"]
"""In which list the item's own part goes on: in none, in `system`, in `messages`, or in the content of the prefix's
last message, which is the user's or the assistant's."""

SMALLEST: Final = 1_000
"""Bytes of a prefix that may have the 512 tokens that the frugalest models cache; a smaller one isn't worth a row."""
KEPT_S: Final = 7 * 86_400
"""How long Redis keeps a prefix that the workers haven't read yet."""
HASH_BYTES: Final = 16
_LEVEL: Final = 3
_FIELDS: Final = ("tools", "system", "messages")

_OPENINGS: Final[Mapping[str, bytes]] = {
    "": b"{",
    "system": b'{"system":[',
    "messages": b'{"messages":[',
    "user": b'{"messages":[{"role":"user","content":[',
    "assistant": b'{"messages":[{"role":"assistant","content":[',
}
_CLOSINGS: Final[Mapping[str, bytes]] = {
    "": b"}",
    "system": b"]}",
    "messages": b"]}",
    "user": b"]}]}",
    "assistant": b"]}]}",
}


@dataclass(frozen=True)
class Prefix:
    """What many requests begin with."""

    document: bytes
    """JSON: {"tools", "system", "messages"}, as many of them as it has, in this order."""
    goes_on: GoesOn = ""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Prefix:
        """A prefix as a caller says it: any of `tools`, `system` and `messages`, each whole.

        Raises ValueError or TypeError when it is none.
        """
        if not isinstance(fields, Mapping):
            raise TypeError(
                f"`prefix` must be a dict with `tools`, `system` or `messages`, not {type(fields).__name__}"
            )
        unknown = [name for name in fields if name not in _FIELDS]
        if unknown:
            raise ValueError(f"`prefix` takes tools, system and messages, not {', '.join(map(str, unknown))}")
        ordered = {name: fields[name] for name in _FIELDS if fields.get(name)}
        if not ordered:
            raise ValueError("`prefix` is empty: give it `tools`, `system` or `messages`")
        for name, value in ordered.items():
            if not isinstance(value, (list, tuple)) and not (name == "system" and isinstance(value, str)):
                raise TypeError(f"the prefix's `{name}` must be a list, not {type(value).__name__}")
        if not all(
            isinstance(one, Mapping) and {"role", "content"} <= one.keys() for one in ordered.get("messages", ())
        ):
            raise ValueError("each of the prefix's `messages` must be a dict with `role` and `content`")
        return cls(orjson.dumps(ordered), "messages" if "messages" in ordered else "")

    @classmethod
    def unpack(cls, packed: bytes) -> Prefix:
        """From what `packed` gave. Raises ValueError when it isn't that."""
        try:
            goes_on, _, document = zstd.decompress(packed).partition(b"\n")
        except zstd.ZstdError as error:
            raise ValueError(f"not a prefix: {error}") from error
        if goes_on.decode() not in _OPENINGS:
            raise ValueError(f"a prefix of a later version: it goes on in {goes_on!r}")
        return cls(document, goes_on.decode())  # type: ignore[arg-type]

    def packed(self) -> bytes:
        """As it lies in Redis."""
        return zstd.compress(self.goes_on.encode() + b"\n" + self.document, _LEVEL)

    @property
    def head(self) -> bytes:
        """The beginning of the request as it is sent."""
        return self.document[: -len(_CLOSINGS[self.goes_on])] + b","

    @property
    def opening(self) -> bytes:
        """What the item's own params begin with; the head stands for it."""
        return _OPENINGS[self.goes_on]

    @cached_property
    def hash(self) -> bytes:
        """Its name: the hash of its head."""
        return blake2b(self.head, digest_size=HASH_BYTES).digest()

    @cached_property
    def fields(self) -> frozenset[str]:
        """Which of tools, system and messages are in it whole, so that no item has any of its own."""
        open_ones = {"": None, "system": "system"}
        return frozenset(orjson.loads(self.document)) - {open_ones.get(self.goes_on, "messages")}


def splice_faults(goes_on: GoesOn, fields: frozenset[str], params: Mapping[str, Any], written: bytes) -> list[str]:
    """What keeps an item's own params from going on where its prefix ends. written: they, as JSON."""
    twice = sorted(fields & params.keys())
    found = [f"`{name}` stands in the prefix and in `params`: leave it out of one of them" for name in twice]
    opening = _OPENINGS[goes_on]
    # the head stands for the opening, and ends with a comma: something must follow
    if not written.startswith(opening) or written[len(opening) : len(opening) + 1] in (b"]", b"}", b""):
        found.append(f"`params` must begin with {opening.decode()!r} and go on from there, where its prefix ends")
    return found


# --- where a request may be cut --------------------------------------------------------------------------------------


class Cut(NamedTuple):
    """A place where a request may be cut."""

    offset: int
    """Bytes of its text before it."""
    goes_on: GoesOn


class Written(NamedTuple):
    """A request as JSON, in the order in which it is cut."""

    text: bytes
    cuts: tuple[Cut, ...]
    """From the shortest beginning on."""

    def digests(self) -> list[bytes]:
        """The hash of what is before each cut."""
        view, hasher, at, found = memoryview(self.text), blake2b(digest_size=HASH_BYTES), 0, []
        for cut in self.cuts:
            hasher.update(view[at : cut.offset])
            at = cut.offset
            found.append(hasher.digest())
        return found

    def prefix(self, cut: Cut) -> Prefix:
        """What is before a cut."""
        return Prefix(self.text[: cut.offset - 1] + _CLOSINGS[cut.goes_on], cut.goes_on)

    def own(self, cut: Cut) -> bytes:
        """What is after it: the item's own params, as JSON."""
        return _OPENINGS[cut.goes_on] + self.text[cut.offset :]


def may_be_cut(params: Mapping[str, Any], written: bytes) -> bool:
    """Whether there is anything in a request, written as JSON, that may be worth cutting off; asked of every item."""
    return len(written) >= SMALLEST and ("system" in params or "tools" in params or b'"cache_control"' in written)


def write(params: Mapping[str, Any]) -> Written:
    """A request as JSON, and where it may be cut: after its tools, its system, and each of the caller's own marks.

    The caller's marks are blocks with `cache_control`. Nothing is cut so that nothing is left of the list it is in.
    """
    out, cuts = bytearray(b"{"), list[Cut]()
    system, messages = params.get("system"), params.get("messages")
    if "tools" in params:
        out += b'"tools":%b,' % orjson.dumps(params["tools"])
        if "system" in params:
            cuts.append(Cut(len(out), ""))
    if "system" in params:
        if _has_marks(system):
            out += b'"system":['
            _write_blocks(out, cuts, system, "system")
            out[-1:] = b"],"
        else:
            out += b'"system":%b,' % orjson.dumps(system)
    if len(out) > 1:
        cuts.append(Cut(len(out), ""))
    if isinstance(messages, (list, tuple)) and messages:
        out += b'"messages":['
        for message in messages[:-1]:
            if _write_message(out, cuts, message):
                cuts.append(Cut(len(out), "messages"))
        _write_message(out, cuts, messages[-1])
        out[-1:] = b"],"
    elif "messages" in params:
        out += b'"messages":%b,' % orjson.dumps(messages)
    rest = {name: value for name, value in params.items() if name not in _FIELDS}
    if rest:
        out += orjson.dumps(rest)[1:]
    else:
        out[-1:] = b"}"
    return Written(bytes(out), tuple(cut for cut in cuts if cut.offset >= SMALLEST))


def _write_message(out: bytearray, cuts: list[Cut], message: Any) -> bool:
    """Returns whether its last block is marked."""
    content = message.get("content") if isinstance(message, Mapping) else None
    if not _has_marks(content):
        out += orjson.dumps(message)
    elif message.keys() == {"role", "content"} and message["role"] in ("user", "assistant"):
        out += b'{"role":"%b","content":[' % message["role"].encode()
        _write_blocks(out, cuts, content, message["role"])
        out[-1:] = b"]}"
    else:
        out += orjson.dumps(message)
    out += b","
    return _has_marks(content) and _is_marked(content[-1])


def _write_blocks(out: bytearray, cuts: list[Cut], blocks: Sequence[Any], goes_on: GoesOn) -> None:
    for block in blocks:
        out += orjson.dumps(block) + b","
        if _is_marked(block) and block is not blocks[-1]:
            cuts.append(Cut(len(out), goes_on))


def _has_marks(blocks: Any) -> bool:
    return isinstance(blocks, (list, tuple)) and any(map(_is_marked, blocks))


def _is_marked(block: Any) -> bool:
    return isinstance(block, Mapping) and bool(block.get("cache_control"))


# --- what is shared --------------------------------------------------------------------------------------------------


class Sharing:
    """Which beginnings this process has seen more than once: those are prefixes. Bounded, whatever passes.

    Not safe in threads.
    """

    _REMEMBERED: Final = 10_000
    _KEPT_BYTES: Final = 8_000_000

    def __init__(self) -> None:
        self._times: OrderedDict[bytes, int] = OrderedDict()
        self._kept: OrderedDict[bytes, Prefix] = OrderedDict()
        self._kept_bytes = 0

    def note(self, digests: Sequence[bytes]) -> None:
        """These beginnings were seen once more."""
        for one in digests:
            self._times[one] = self._times.pop(one, 0) + 1
        while len(self._times) > self._REMEMBERED:
            self._times.popitem(last=False)

    def cut(self, written: Written, digests: Sequence[bytes]) -> tuple[bytes, Prefix, bytes] | None:
        """The longest beginning that was seen before: its hash, itself, and the item's own params; None for none.

        Equal prefixes are one object, so that a thousand items don't hold a thousand copies.
        """
        for cut, name in zip(reversed(written.cuts), reversed(digests), strict=True):
            if self._times.get(name, 0) > 1:
                return name, self._one(name, written, cut), written.own(cut)
        return None

    def _one(self, name: bytes, written: Written, cut: Cut) -> Prefix:
        found = self._kept.pop(name, None)
        if found is None:
            found = written.prefix(cut)
            self._kept_bytes += len(found.document)
        self._kept[name] = found
        while self._kept_bytes > self._KEPT_BYTES and len(self._kept) > 1:
            _, gone = self._kept.popitem(last=False)
            self._kept_bytes -= len(gone.document)
        return found


# --- breakpoints -----------------------------------------------------------------------------------------------------

MARK_BYTES: Final = 80
"""What a breakpoint of ours adds to a request, at most."""


def marked(prefix: Prefix, lifetime: str) -> bytes | None:
    """The head with a breakpoint at its end, so that all of it is cached; None where there can't be one."""
    document = orjson.loads(prefix.document)
    last = last_block(document)
    if last is None or not isinstance(last, dict) or not _may_be_marked(last):
        return None
    last["cache_control"] = {"type": "ephemeral", "ttl": lifetime}
    return Prefix(orjson.dumps(document), prefix.goes_on).head


def last_block(document: dict[str, Any]) -> Any:
    """The block that a prefix ends with, inside its document: a text becomes the block that it stands for."""
    for name in reversed(_FIELDS):
        if name not in document:
            continue
        holder, key = (document["messages"][-1], "content") if name == "messages" else (document, name)
        if not isinstance(holder, dict) or not holder.get(key):
            return None
        if isinstance(holder[key], str):
            holder[key] = [{"type": "text", "text": holder[key]}]
        return holder[key][-1] if isinstance(holder[key], list) else None
    return None


def _may_be_marked(block: Mapping[str, Any]) -> bool:
    """The API takes no breakpoint on thoughts and on empty texts."""
    kind = block.get("type")
    return kind not in ("thinking", "redacted_thinking") and not (kind == "text" and not block.get("text"))
