"""The token in a link: which outcome it is for and until when, and the HMAC that says that Overnight made it.

    item's number, 8 bytes | its receipt, 16 | until, in seconds since 1970, 8 | HMAC-SHA256, 32

in base64url, so 86 characters.

The receipt is in it since numbers come again where a database was set back: an old link leads to no other answer.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple
from uuid import UUID

from overnight_models.errors import BadSignature
from overnight_models.wire.signature import Secret

_FORM: Final = struct.Struct(">Q16sQ")
_TAG_BYTES: Final = 32
_ABOUT: Final = b"overnight link v1\0"
"""What is signed begins with that: no signature of a webhook is one of a link, even where both have one secret."""


class Named(NamedTuple):
    """The outcome that a link is for."""

    item_id: int
    receipt: UUID
    until: datetime
    """Aware."""


def make(secret: Secret, named: Named) -> str:
    """A token. Its time is kept to the second."""
    said = _FORM.pack(named.item_id, named.receipt.bytes, int(named.until.timestamp()))
    return _written(said + _tag(secret, said))


def read(secrets: Sequence[Secret], token: str) -> Named:
    """What a token is for, also when its time is over. Raises BadSignature for one that was made by none of them."""
    try:
        raw = base64.b64decode(token.encode("ascii") + b"==", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    said, tag = raw[:-_TAG_BYTES], raw[-_TAG_BYTES:]
    # compared with each, so that the time tells nothing
    matches = [hmac.compare_digest(_tag(secret, said), tag) for secret in secrets]
    # the last character has bits that mean nothing: a token is written in one way only
    if len(said) != _FORM.size or _written(raw) != token or not any(matches):
        raise BadSignature("it isn't a link of this installation, or was changed")
    item_id, receipt, until = _FORM.unpack(said)
    return Named(item_id, UUID(bytes=receipt), datetime.fromtimestamp(until, UTC))


def _written(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _tag(secret: Secret, said: bytes) -> bytes:
    return hmac.digest(secret.key, _ABOUT + said, "sha256")
