"""Bodies encrypted at rest: AES-256-GCM, each value bound to where it lies, by keys that may be replaced at any time.

A sealed value says by which key: the first eight bytes of a hash of it, so that keys need no names.

    magic, with the version     4 bytes, b"OVE1"
    which key                   8 bytes
    nonce                       12 bytes, random
    the text and its tag        encrypted; a first byte says whether the text is compressed

As a text, for a column of texts, it is `encrypted:` and the same in base64: no JSON begins like that. What it is bound
to (`place`) is authenticated with it: a value that was put elsewhere, or changed, can't be read.

**Invariant:** `cryptography` is imported when the first value is sealed or opened, and not before.
"""

from __future__ import annotations

import base64
import binascii
import os
import sys
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, Protocol, TypeVar, cast

from overnight_models.errors import PermanentError
from overnight_models.ledger.bodies.packed import DamagedGroup
from overnight_models.ledger.connection import Connection
from overnight_models.ledger.rows import fetch_pairs

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

V = TypeVar("V")

KEY_BYTES: Final = 32
KEYLESS_PAUSE_S: Final = 30
"""After this what waits for a key looks for it again."""
MAGIC: Final = b"OVE1"
MARK: Final = "encrypted:"
"""What begins a text that is encrypted."""
_OPTION: Final = "overnight_encryption"
"""Of a connection: its keys."""
_ID_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_HEAD: Final = len(MAGIC) + _ID_BYTES + _NONCE_BYTES
_WORTH_COMPRESSING: Final = 400
_PLAIN, _COMPRESSED = b"\x00", b"\x01"


class NoKey(PermanentError):
    """An encryption key isn't there: put it back. Nothing is lost, what needs it waits until then."""


class Unreadable(DamagedGroup):
    """It is encrypted by a key that isn't there: it can be read when that is there again, and is as good as before."""


class Keys(Protocol):
    """Encryption keys, as the configuration has them at this moment. A key has 32 bytes."""

    def of_lane(self, lane: str) -> bytes | None:
        """The key that a lane's bodies are written by; None: they aren't encrypted. Raises NoKey."""
        ...

    def by_id(self, wanted: bytes) -> bytes | None:
        """The key of that id, among all that are known; None when it isn't."""
        ...

    @property
    def are_used(self) -> bool:
        """Whether any lane encrypts."""
        ...


@lru_cache(maxsize=64)
def key_id(key: bytes) -> bytes:
    """Which key it is: 8 bytes that say nothing about it."""
    return blake2b(key, digest_size=_ID_BYTES, person=b"overnight key").digest()


def options(keys: Keys) -> Mapping[str, object]:
    """The execution options of connections that know these keys."""
    return {_OPTION: keys}


def keys_of(connection: Connection) -> Keys | None:
    """The keys that a connection knows; None: it knows none, and nothing is encrypted."""
    return cast("Keys | None", connection.get_execution_options().get(_OPTION))


def writing_key(connection: Connection, lane: str) -> bytes | None:
    """The key for a lane's bodies; None: they aren't encrypted. Raises NoKey."""
    keys = keys_of(connection)
    return None if keys is None else keys.of_lane(lane)


def writing_keys(connection: Connection, item_ids: Collection[int]) -> Mapping[int, bytes]:
    """The same by items, of those whose lanes encrypt. Raises NoKey."""
    keys = keys_of(connection)
    if keys is None or not keys.are_used or not item_ids:
        return {}
    lanes = fetch_pairs(
        connection,
        int,
        str,
        "SELECT item.id, lane.name FROM item JOIN lane ON lane.id = item.lane_id WHERE item.id = ANY(:ids)",
        ids=list(item_ids),
    )
    of_lanes = {lane: keys.of_lane(lane) for lane in set(lanes.values())}
    return {item_id: key for item_id, lane in lanes.items() if (key := of_lanes[lane]) is not None}


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # only where a lane encrypts

    return AESGCM(key)


def is_sealed(value: bytes) -> bool:
    """Whether bytes are encrypted. Nothing else that the ledger writes begins like that."""
    return value.startswith(MAGIC)


def id_in(value: bytes) -> bytes:
    """By which key bytes are encrypted."""
    return value[len(MAGIC) : len(MAGIC) + _ID_BYTES]


def seal(key: bytes, place: str, content: bytes) -> bytes:
    """Bytes, encrypted. place: what they are bound to, such as `answer_group:17`."""
    head = MAGIC + key_id(key)
    nonce = os.urandom(_NONCE_BYTES)
    return b"".join((head, nonce, _cipher(key).encrypt(nonce, content, head + place.encode())))


def unseal(connection: Connection, place: str, value: bytes) -> bytes:
    """What `seal` was given. Raises Unreadable without its key, and DamagedGroup when it isn't what was written."""
    return unseal_by(keys_of(connection), place, value)


def unseal_by(keys: Keys | None, place: str, value: bytes) -> bytes:
    """The same by these keys."""
    from cryptography.exceptions import InvalidTag

    wanted = id_in(value)
    key = None if keys is None else keys.by_id(wanted)
    if key is None:
        raise Unreadable(f"it is encrypted by key {wanted.hex()}, which no [encryption.NAME] has here: put it back")
    head, nonce = value[: len(MAGIC) + _ID_BYTES], value[len(MAGIC) + _ID_BYTES : _HEAD]
    try:
        return _cipher(key).decrypt(nonce, value[_HEAD:], head + place.encode())
    except (InvalidTag, ValueError) as error:
        raise DamagedGroup("it isn't what was encrypted, or not what was encrypted for this place") from error


def key_that_sealed(connection: Connection, value: bytes) -> bytes | None:
    """The key by which bytes are encrypted, of those that can be read; None when they aren't encrypted."""
    keys = keys_of(connection)
    return keys.by_id(id_in(value)) if keys is not None and is_sealed(value) else None


def seal_text(key: bytes | None, place: str, text: bytes) -> bytes:
    """A text as a column has it: encrypted, in base64; as it is where there is no key."""
    if key is None:
        return text
    is_long = len(text) >= _WORTH_COMPRESSING
    content = _COMPRESSED + zstd.compress(text) if is_long else _PLAIN + text
    return MARK.encode() + base64.b64encode(seal(key, place, content))


def seal_str(key: bytes | None, place: str, text: str) -> str:
    """The same of a `str`."""
    return text if key is None else seal_text(key, place, text.encode()).decode()


def head_of_text(key: bytes) -> str:
    """What begins each text that is encrypted by this key."""
    return MARK + base64.b64encode(MAGIC + key_id(key)).decode()


def is_sealed_text(text: str | bytes) -> bool:
    """Whether a text is encrypted."""
    return text.startswith(MARK) if isinstance(text, str) else text.startswith(MARK.encode())


def unseal_text(connection: Connection, place: str, text: str) -> str:
    """A text as it was before `seal_text`. Raises Unreadable and DamagedGroup."""
    if not text.startswith(MARK):
        return text
    return unseal_text_by(keys_of(connection), place, text)


def unseal_text_by(keys: Keys | None, place: str, text: str) -> str:
    """The same by these keys."""
    try:
        content = unseal_by(keys, place, base64.b64decode(text[len(MARK) :], validate=True))
        return (zstd.decompress(content[1:]) if content[:1] == _COMPRESSED else content[1:]).decode()
    except (binascii.Error, zstd.ZstdError, UnicodeDecodeError) as error:
        raise DamagedGroup("it isn't what was encrypted") from error


def shown(connection: Connection, place: str, text: str | None) -> str | None:
    """The same for a person, or for a product: where it can't be read, why."""
    if text is None or not text.startswith(MARK):
        return text
    try:
        return unseal_text(connection, place, text)
    except DamagedGroup as error:
        return f"(it can't be read: {error})"


def listed(column: str) -> str:
    """A column of texts in SQL, as lists of many have it: what is encrypted says so, and is read one by one."""
    return f"CASE WHEN {column} LIKE '{MARK}%' THEN '(encrypted)' ELSE {column} END"


def sealed_for(keys: Mapping[int, bytes], kind: str) -> Callable[[int, str], str]:
    """What encrypts a text of an item. keys: as `writing_keys` has them; kind: the column that it is for."""
    return lambda item_id, text: seal_str(keys.get(item_id), f"{kind}:{item_id}", text)
