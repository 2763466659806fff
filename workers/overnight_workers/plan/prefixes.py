"""Which beginnings many prompts of a file share: what caching could read instead of paying anew.

Prompts are compared piece by piece, by hash. Memory is bounded: of beginnings that were seen once only the latest are
remembered, so one that turns up again hundreds of thousands of other ones later may be counted too low.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from overnight_models.money.forecast import Lifetime
from overnight_models.request.prompt import Piece

_SMALLEST: Final = 1_000
"""Bytes of a beginning that may have the 512 tokens that the frugalest models cache."""
_MEDIA_SIZE: Final = 6_000
"""Bytes of text that an image may be worth."""
_DEEPEST: Final = 64
"""Pieces of a prompt that are looked at."""
_REMEMBERED: Final = 100_000
"""Beginnings seen once, twice over; and beginnings that are shared."""

_Key: TypeAlias = tuple[str, str | None, bytes]
"""Model, geography, hash of the beginning."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A beginning that several prompts to one model have in common."""

    model: str
    geo: str | None
    items: int
    pieces: int
    size: int
    """Bytes of text."""
    media: bool
    offset: int
    """Where in the file a line begins that has it."""
    parent: int | None
    """Which of the list is the longest shared beginning of this one."""
    mark: Lifetime | None
    """The caller marks it with cache_control, its parent's part apart."""


@dataclass(slots=True)
class _Seen:
    items: int
    pieces: int
    size: int
    media: bool
    offset: int
    before: _Key | None
    mark: Lifetime | None

    @property
    def weight(self) -> int:
        """What it may save, more or less: bytes that are sent again and again."""
        return self.items * (self.size + _MEDIA_SIZE * self.media)


class Prefixes:
    """Looks for shared beginnings, one prompt at a time."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._once: set[bytes] = set()
        self._once_before: set[bytes] = set()
        self._shared: dict[_Key, _Seen] = {}

    def add(self, model: str, geo: str | None, prompt: Iterable[Piece], offset: int) -> None:
        """Look at one prompt. offset: where its line begins."""
        hasher = hashlib.blake2b(f"{model} {geo}".encode(), digest_size=16)
        size, media = 0, False
        mark: Lifetime | None = None
        before: _Key | None = None
        for depth, piece in enumerate(prompt, start=1):
            if depth > _DEEPEST:
                break
            hasher.update(piece.content)
            size += piece.size
            media |= piece.media
            mark = piece.mark or mark
            if size < _SMALLEST and not media:
                continue
            key = (model, geo, hasher.digest())
            self._note(key, _Seen(2, depth, size, media, offset, before, mark))
            before, mark = key, None

    def shared(self) -> tuple[Shared, ...]:
        """The shared beginnings, those that save most first.

        A beginning that only ever goes on in one way isn't listed beside its longer one.
        """
        whole: dict[_Key, _Seen] = {}
        for key, seen in sorted(self._shared.items(), key=lambda pair: pair[1].pieces):
            shorter = None if seen.before is None else whole.get(seen.before)
            if shorter is None or seen.before is None or shorter.items != seen.items:
                whole[key] = seen
            else:
                del whole[seen.before]
                whole[key] = replace(seen, before=shorter.before, mark=seen.mark or shorter.mark)
        order = sorted(whole, key=lambda key: -whole[key].weight)
        place = {key: at for at, key in enumerate(order)}
        return tuple(
            Shared(key[0], key[1], seen.items, seen.pieces, seen.size, seen.media, seen.offset, parent, seen.mark)
            for key in order
            for seen in [whole[key]]
            for parent in [None if seen.before is None else place.get(seen.before)]
        )

    def _note(self, key: _Key, seen: _Seen) -> None:
        digest, known = key[2], self._shared.get(key)
        if known is not None:
            known.items += 1
        elif digest in self._once or digest in self._once_before:
            self._shared[key] = seen
            if len(self._shared) > self._remembered:
                self._forget_the_small()
        else:
            if len(self._once) >= self._remembered:
                self._once_before, self._once = self._once, set()
            self._once.add(digest)

    def _forget_the_small(self) -> None:
        kept = sorted(self._shared, key=lambda key: -self._shared[key].weight)
        self._shared = {key: self._shared[key] for key in kept[: self._remembered // 2]}
