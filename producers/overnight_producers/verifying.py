"""Verifying: whether a webhook is Overnight's."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import cast

from overnight_models import exact_json
from overnight_models.errors import BadSignature
from overnight_models.wire import signature
from overnight_models.wire.webhook import WebhookBody


def verify(
    headers: signature.Headers | Iterable[tuple[object, object]],
    body: bytes | bytearray | memoryview | str,
    secrets: str | Iterable[str] | None,
    *,
    tolerance_s: float = signature.TOLERANCE_S,
    now: datetime | None = None,
) -> WebhookBody:
    """A webhook's body, read, when it is from whoever knows the secret. `Outcome.read` reads each of its `data`.

    headers: the request's, as any framework has them: names in whatever case, bytes, Django's `META`, or pairs, as
    ASGI's `scope["headers"]`.
    body: as it came, before anybody read it: `request.body`, `await request.body()`, `request.get_data()`.
    secrets: `whsec_…`; several, or several in one text with spaces between them, while they are changed.
    tolerance_s: how far its time may be from this machine's clock, both ways.
    now: the time to go by, aware; default: the clock.

    Raises BadSignature, whatever is wrong with the headers or the body: answer 401. Raises BadSettings when a secret is
    no secret, and without any (None: the variable isn't set); TypeError when the body was read as JSON already, or the
    headers aren't headers.
    """
    if not isinstance(body, (bytes, bytearray, memoryview, str)):
        raise TypeError(f"the body as it came, bytes or str, not {type(body).__name__}: what was signed are its bytes")
    known = signature.read_secrets(secrets)
    try:
        raw = body.encode() if isinstance(body, str) else bytes(body)
    except UnicodeEncodeError as error:
        raise BadSignature("the body is no text in UTF-8") from error
    signature.check(headers, raw, known, tolerance_s=tolerance_s, now=now)
    try:
        payload = exact_json.loads(raw)
    except ValueError as error:
        raise BadSignature("it is signed, and no webhook: its body isn't JSON") from error
    if not isinstance(payload, dict) or not isinstance(payload.get("data"), list):
        raise BadSignature("it is signed, and no webhook: its body has no list `data`")
    return cast("WebhookBody", payload)
