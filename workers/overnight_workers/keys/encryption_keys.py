"""Encryption keys, which may be replaced while workers run. Where they are: `[encryption.NAME]`.

**Invariant:** no key is in a log, an error or a repr.
"""

from __future__ import annotations

import base64
import binascii
import os
import time
from threading import Lock
from typing import Final

from overnight_models.errors import BadSettings
from overnight_models.ledger.bodies.encryption import KEY_BYTES, NoKey, key_id
from overnight_models.quantities import several
from overnight_workers.configuration import key_sources
from overnight_workers.configuration.key_sources import KeySource
from overnight_workers.keys import key_reading
from overnight_workers.keys.key_reading import Kept
from overnight_workers.settings import settings

_LOOKED_FOR_EVERY_S: Final = 5.0
"""However many values want a key that isn't there, its sources aren't read more often than that."""


_KEPT: Final[dict[KeySource, Kept]] = {}
"""What was read of each source. A process that is forked has it, too: it goes on when a file is away by then."""


def _forget_locks() -> None:
    """In a process that was forked: whoever held a lock isn't there."""
    for kept in _KEPT.values():
        kept.lock = Lock()


os.register_at_fork(after_in_child=_forget_locks)


def _kept(source: KeySource) -> Kept:
    return _KEPT.setdefault(source, Kept())


def keys_in(written: str) -> list[bytes]:
    """Keys as a source has them, the one to write by first. Raises ValueError, without a word of them."""
    keys = []
    for number, word in enumerate(written.split(), start=1):
        try:
            key = base64.b64decode(word, validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"its key {number} isn't base64: `overnight encryption new` makes one") from None
        if len(key) != KEY_BYTES:
            has = several(len(key), "byte")
            raise ValueError(f"its key {number} has {has}, not {KEY_BYTES}: `overnight encryption new` makes one")
        keys.append(key)
    return keys


def _fault(written: str) -> str | None:
    try:
        keys_in(written)
    except ValueError as error:
        return str(error)
    return None


def keys_named(name: str) -> list[bytes]:
    """The keys of `[encryption.NAME]` as its source has them now. Raises BadSettings that says why there are none."""
    encryption = settings().encryption.get(name)
    if encryption is None:
        raise BadSettings([f"there is no [encryption.{name}]"])
    kept = _kept(encryption.keys)
    with kept.lock:
        try:
            return keys_in(key_reading.current(encryption.keys, kept, _fault, encryption=name))
        except key_sources.NoKey as error:
            raise BadSettings([f"[encryption.{name}] has no key: {error}"]) from None


class ConfiguredKeys:
    """The keys of the settings: `overnight_models.ledger.bodies.encryption.Keys`."""

    @property
    def are_used(self) -> bool:
        """Whether any lane encrypts."""
        return any(lane.encrypt is not None for lane in settings().lanes.values())

    def of_lane(self, lane: str) -> bytes | None:
        """The key that a lane writes by; None: it doesn't encrypt. Raises NoKey."""
        name = settings().lane(lane).encrypt
        if name is None:
            return None
        try:
            return keys_named(name)[0]
        except BadSettings as error:
            raise NoKey(f"lane {lane!r} can't be written: {error.faults[0]}") from None

    def by_id(self, wanted: bytes) -> bytes | None:
        """The key of that id; its sources are read anew when it isn't among those that were read."""
        key = self._find(wanted)
        if key is not None:
            return key
        read_anew = [name for name in settings().encryption if _look_again(name)]
        return self._find(wanted) if read_anew else None

    def _find(self, wanted: bytes) -> bytes | None:
        for name in settings().encryption:
            try:
                keys = keys_named(name)
            except BadSettings:
                continue
            for key in keys:
                if key_id(key) == wanted:
                    return key
        return None


def _look_again(name: str) -> bool:
    """A key isn't there: read its source anew. False: that was done just now."""
    source = settings().encryption[name].keys
    kept = _kept(source)
    with kept.lock:
        if kept.refused_at is not None and time.monotonic() - kept.refused_at < _LOOKED_FOR_EVERY_S:
            return False
        kept.refused_at = time.monotonic()
        key_reading.read_again(source, kept, _fault, encryption=name)
        return True


def lanes_without_key() -> list[str]:
    """Of each lane that encrypts and has no key: a line that says why, without a key in it."""
    lines = []
    for name, lane in settings().lanes.items():
        if lane.encrypt is not None:
            try:
                keys_named(lane.encrypt)
            except BadSettings as error:
                lines.append(f"lane {name!r} encrypts, and {'; '.join(error.faults)}")
    return lines
