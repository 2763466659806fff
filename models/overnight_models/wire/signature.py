"""The signature of a webhook, by Standard Webhooks: who sends it signs with it, and who takes it verifies by it.

Three headers: `webhook-id`, the delivery's id; `webhook-timestamp`, seconds since 1970 in UTC; `webhook-signature`, one
`v1,<base64>` for each secret, a space between them. Each is the HMAC-SHA256 of `<id>.<timestamp>.<body>`.

A secret is `whsec_` and the base64 of 24 to 64 random bytes. Other libraries decode leniently: of a pass phrase they
make a short key in silence. Here what isn't exactly that is refused.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets as random_bytes
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

from overnight_models.errors import BadSettings, BadSignature

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
TOLERANCE_S: Final = 300.0
"""How far a webhook's time may be from the clock of whoever verifies it, both ways."""

_PREFIX: Final = "whsec_"
_SHORTEST_BYTES, _LONGEST_BYTES = 24, 64
_MOST_SIGNATURES: Final = 100
_AN_ID: Final = re.compile(r"[!-\-/-~]{1,256}")
"""Visible ASCII without a dot, which stands between an id and a time."""
_A_TIME: Final = re.compile(r"[0-9]{1,12}")
_MADE_BY_WSGI: Final = "HTTP_"


class Headers(Protocol):
    """A request's headers, of whatever framework: a dict, Starlette's, Werkzeug's, Django's `META`."""

    def items(self) -> Iterable[tuple[object, object]]:
        """Names and values, texts or bytes."""


@dataclass(frozen=True)
class Secret:
    """A key that webhooks are signed with."""

    key: bytes = field(repr=False)


def new_secret() -> str:
    """A secret that nobody has yet, as it is written in an environment variable."""
    return _PREFIX + base64.b64encode(random_bytes.token_bytes(32)).decode()


def read_secrets(written: str | Iterable[str] | None) -> tuple[Secret, ...]:
    """Secrets as they are written: one text each, or several in one text with white space between them.

    written: None, as of a variable that isn't set, is no secret.

    Raises BadSettings with every fault, none of which shows a secret.
    """
    texts = [written] if isinstance(written, str) else list(written or ())
    words = [word for text in texts for word in text.split()]
    if not words:
        raise BadSettings([f"there is no secret to sign or verify webhooks with: set {_PREFIX}<base64 of 32 bytes>"])
    faults = [
        f"secret {number} of {len(words)} {fault}"
        for number, word in enumerate(words, 1)
        if (fault := _fault(word)) is not None
    ]
    if faults:
        raise BadSettings(faults)
    return tuple(Secret(_decoded(word.removeprefix(_PREFIX))) for word in words)


def sign(secrets: Sequence[Secret], message_id: str, at: datetime, body: bytes) -> str:
    """The header `webhook-signature`: a signature by each secret, so that either side may change its own first.

    at: the time in the header `webhook-timestamp`, in whatever zone. Raises ValueError where it has none, and for an
    id that can't be verified.
    """
    if _AN_ID.fullmatch(message_id) is None:
        raise ValueError(f"no id of a webhook: {message_id!r}: it is visible ASCII without a dot")
    content = _content(message_id, _seconds(at), body)
    return " ".join(f"v1,{base64.b64encode(_digest(secret, content)).decode()}" for secret in secrets)


def signed_headers(secrets: Sequence[Secret], message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """All three headers of a webhook. Raises as `sign` does."""
    return {ID: message_id, TIMESTAMP: _seconds(at), SIGNATURE: sign(secrets, message_id, at, body)}


def check(
    headers: Headers | Iterable[tuple[object, object]],
    body: bytes,
    secrets: Sequence[Secret],
    *,
    tolerance_s: float = TOLERANCE_S,
    now: datetime | None = None,
) -> None:
    """Raises BadSignature unless the body was signed by whoever knows one of the secrets, just now.

    headers: names in whatever case, texts or bytes, and as WSGI has them (`HTTP_WEBHOOK_ID`); or pairs, as ASGI does.
    now: default: the machine's clock.
    """
    signed = _read_headers(headers)
    away_s = abs((now or datetime.now(UTC)).timestamp() - int(signed.timestamp))
    content = _content(signed.message_id, signed.timestamp, body)
    digests = [_digest(secret, content) for secret in secrets]
    # each is compared with each, so that the time tells nothing
    matches = [hmac.compare_digest(digest, given) for digest in digests for given in signed.signatures]
    if not any(matches):
        raise BadSignature(f"{SIGNATURE} is by none of the {len(digests)} secrets known here")
    if not away_s <= tolerance_s:
        raise BadSignature(f"{TIMESTAMP} is {away_s:,.0f} s from the clock here; at most {tolerance_s:,.0f} s may be")


class _Signed(NamedTuple):
    """The three headers, read."""

    message_id: str
    timestamp: str
    signatures: list[bytes]


def _read_headers(headers: Headers | Iterable[tuple[object, object]]) -> _Signed:
    """Raises BadSignature."""
    values: dict[str, str] = {}
    for given_name, given in _pairs(headers):
        name = _name(given_name)
        if name not in (ID, TIMESTAMP, SIGNATURE):
            continue
        value = _text(given)
        if value is None:
            raise BadSignature(f"{name} is no text")
        if values.setdefault(name, value) != value:
            raise BadSignature(f"{name} is there twice, with two values")
    if missing := [name for name in (ID, TIMESTAMP, SIGNATURE) if name not in values]:
        raise BadSignature(f"{', '.join(missing)} missing: it is no webhook, or something between dropped its headers")
    if _AN_ID.fullmatch(values[ID]) is None:
        raise BadSignature(f"{ID} is none: visible ASCII without a dot")
    if _A_TIME.fullmatch(values[TIMESTAMP]) is None:
        raise BadSignature(f"{TIMESTAMP} is no time in seconds")
    signatures = list(_signatures(values[SIGNATURE]))
    if not signatures:
        raise BadSignature(f"{SIGNATURE} has no signature of version v1")
    return _Signed(values[ID], values[TIMESTAMP], signatures)


def _pairs(headers: Headers | Iterable[tuple[object, object]]) -> Iterator[tuple[object, object]]:
    """Names and values. Raises TypeError where they are no headers."""
    items = getattr(headers, "items", None)
    for pair in items() if callable(items) else headers if isinstance(headers, Iterable) else (headers,):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"headers have names and values, as a dict or as pairs, and not {type(pair).__name__}")
        yield pair[0], pair[1]


def _signatures(header: str) -> Iterator[bytes]:
    """The signatures of this version; those of others aren't for us."""
    words = header.split(" ")
    if len(words) > _MOST_SIGNATURES:
        raise BadSignature(f"{SIGNATURE} has more than {_MOST_SIGNATURES} signatures")
    for word in words:
        version, comma, signature = word.partition(",")
        if version == "v1" and comma:
            try:
                yield _decoded(signature)
            except ValueError as error:
                raise BadSignature(f"{SIGNATURE} isn't base64") from error


def _name(given: object) -> str | None:
    """A header's name as the standard writes it; None: it is another."""
    name = _text(given)
    if name is None:
        return None
    if name.startswith(_MADE_BY_WSGI):
        name = name.removeprefix(_MADE_BY_WSGI).replace("_", "-")
    return name.lower()


def _text(given: object) -> str | None:
    """A header's name or value: a text, bytes, or a list of exactly one."""
    if isinstance(given, (list, tuple)) and len(given) == 1:
        given = given[0]
    if isinstance(given, (bytes, bytearray)):
        return given.decode("latin-1")
    return given if isinstance(given, str) else None


def _fault(word: str) -> str | None:
    """What is wrong with a secret, without a part of it."""
    if not word.startswith(_PREFIX):
        return f"doesn't begin with {_PREFIX}"
    try:
        key = _decoded(word.removeprefix(_PREFIX))
    except ValueError:
        return f"isn't {_PREFIX} and base64 (A-Z, a-z, 0-9, +, /, padded with =)"
    if not _SHORTEST_BYTES <= len(key) <= _LONGEST_BYTES:
        return f"is of {len(key)} bytes: {_SHORTEST_BYTES} to {_LONGEST_BYTES} may be"
    return None


def _decoded(text: str) -> bytes:
    """Base64 as it is written in one way only. Raises ValueError."""
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("no base64") from error
    if base64.b64encode(decoded).decode() != text:
        raise ValueError("no base64 as it is written by anybody")
    return decoded


def _seconds(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("the time of a webhook needs a time zone: datetime.now(UTC)")
    return str(int(at.timestamp()))


def _content(message_id: str, timestamp: str, body: bytes) -> bytes:
    return b"%b.%b.%b" % (message_id.encode(), timestamp.encode(), body)


def _digest(secret: Secret, content: bytes) -> bytes:
    return hmac.digest(secret.key, content, "sha256")
