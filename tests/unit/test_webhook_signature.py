"""Webhooks are signed and verified by Standard Webhooks, and whatever else comes is a failed verification."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import standardwebhooks
import svix
from hypothesis import example, given, settings
from hypothesis import strategies as st

from overnight_models.errors import BadSettings, BadSignature
from overnight_models.wire.signature import (
    ID,
    SIGNATURE,
    TIMESTAMP,
    new_secret,
    read_secrets,
    sign,
    signed_headers,
)
from overnight_models.wire.webhook import OUTCOMES, TEST, WebhookBody, write_body
from overnight_producers import verify

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
OTHER = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
NOW = datetime(2026, 11, 30, 8, 0, 0, tzinfo=UTC)
BODY = write_body([{"delivery_id": "a-b", "key": "Grüße 漢字"}], at=NOW)
DELIVERY = "3f5c2f7e-9a53-5d3e-8a53-b0c1d2e3f405"


def headers(*secrets: str, at: datetime = NOW, body: bytes = BODY, message_id: str = DELIVERY) -> dict[str, str]:
    return signed_headers(read_secrets(secrets or SECRET), message_id, at, body)


BESIDE_OTHERS: dict[object, object] = {
    "content-length": 17,
    None: None,
    b"\xff": b"\xff",
    "webhook_id": "another",
}
BESIDE_OTHERS.update(headers())


def verified(given: Mapping[Any, Any], *secrets: str, body: bytes | str = BODY, now: datetime = NOW) -> WebhookBody:
    return verify(given, body, secrets or SECRET, now=now)


def test_what_is_signed_here_is_verified_by_both_libraries_and_what_they_sign_is_verified_here() -> None:
    now = datetime.now(UTC)
    ours = headers(at=now)
    assert standardwebhooks.Webhook(SECRET).verify(BODY.decode(), ours)["type"] == OUTCOMES
    svix.Webhook(SECRET).verify(BODY, ours)  # returns nothing; raises where it doesn't fit
    for theirs in (
        standardwebhooks.Webhook(SECRET).sign(DELIVERY, now, BODY.decode()),
        svix.Webhook(SECRET).sign(DELIVERY, now, BODY.decode()),
    ):
        assert theirs == ours[SIGNATURE]
        assert verified({**ours, SIGNATURE: theirs}, now=now)["data"][0]["key"] == "Grüße 漢字"


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    # https://github.com/standard-webhooks/standard-webhooks: the vector that its libraries are tested with
    secrets = read_secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    header = sign(secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert header == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    "given",
    [
        {name.upper(): value for name, value in headers().items()},
        {name.encode(): value.encode() for name, value in headers().items()},
        {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers().items()},
        {name: [value] for name, value in headers().items()},
        BESIDE_OTHERS,
    ],
    ids=["upper case", "bytes", "Django's META", "lists of one", "beside others"],
)
def test_headers_are_read_as_any_framework_has_them(given: dict[Any, Any]) -> None:
    assert verified(given)["type"] == OUTCOMES


def test_headers_may_be_pairs_as_asgi_has_them_and_what_are_no_headers_is_said() -> None:
    pairs = [(name.encode(), value.encode()) for name, value in headers().items()]
    assert verify(pairs, BODY, SECRET, now=NOW)["type"] == OUTCOMES
    with pytest.raises(BadSignature, match="twice"):
        verify([*pairs, (b"webhook-id", b"another")], BODY, SECRET, now=NOW)
    for wrong in (None, 7, "webhook-id: a", [("webhook-id",)]):
        with pytest.raises(TypeError, match="names and values"):
            verify(wrong, BODY, SECRET, now=NOW)  # type: ignore[arg-type]


def test_while_a_secret_is_changed_either_side_may_go_first() -> None:
    assert verified(headers(SECRET, OTHER), OTHER)
    assert verified(headers(SECRET), OTHER, SECRET)
    assert verified(headers(SECRET), f" {OTHER}\n{SECRET} ")
    with pytest.raises(BadSignature, match="none of the 1 secrets"):
        verified(headers(SECRET), OTHER)


@pytest.mark.parametrize(
    ("late_s", "ok"), [(0, True), (300, True), (-300, True), (301, False), (-301, False), (10**9, False)]
)
def test_a_webhook_of_another_time_is_refused_both_ways(late_s: int, ok: bool) -> None:
    given = headers()
    now = NOW + timedelta(seconds=late_s)
    if ok:
        assert verified(given, now=now)
    else:
        with pytest.raises(BadSignature, match="from the clock here"):
            verified(given, now=now)


def test_a_time_of_any_zone_is_signed_as_its_moment_and_one_without_a_zone_is_refused() -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert headers(at=there) == headers(at=NOW)
    with pytest.raises(ValueError, match="time zone"):
        headers(at=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("message_id", ["", "a.b", "a b", "ä", "a\n", "a" * 257])
def test_an_id_that_could_be_read_as_another_is_neither_signed_nor_verified(message_id: str) -> None:
    with pytest.raises(ValueError, match="no id of a webhook"):
        headers(message_id=message_id)
    with pytest.raises(BadSignature):
        verified({**headers(), ID: message_id})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (TIMESTAMP, "1e9"),
        (TIMESTAMP, "-1"),
        (TIMESTAMP, "٣"),
        (TIMESTAMP, "1764489600.0"),
        (TIMESTAMP, "9" * 400),
        (TIMESTAMP, None),
        (SIGNATURE, ""),
        (SIGNATURE, "v1"),
        (SIGNATURE, "v1,"),
        (SIGNATURE, "v1,****"),
        (SIGNATURE, "v1,ä"),
        (SIGNATURE, "v2,AAAA"),
        (SIGNATURE, " ".join(["v1,AAAA"] * 101)),
        (SIGNATURE, 7),
        (ID, ["a", "b"]),
    ],
)
def test_a_header_that_makes_no_sense_is_a_failed_verification(name: str, value: object) -> None:
    with pytest.raises(BadSignature):
        verified({**headers(), name: value})


def test_a_header_that_is_there_twice_with_two_values_is_refused() -> None:
    with pytest.raises(BadSignature, match="twice"):
        verified({**headers(), "Webhook-Id": "another"})
    assert verified({**headers(), "Webhook-Id": DELIVERY})


def test_signatures_of_other_versions_are_passed_over() -> None:
    given = headers()
    assert verified({**given, SIGNATURE: f"v1a,notbase64! {given[SIGNATURE]} v3"})


texts = st.one_of(st.none(), st.integers(), st.text(), st.binary(), st.lists(st.text(), max_size=2), st.floats())
names = st.one_of(
    st.sampled_from([ID, TIMESTAMP, SIGNATURE, SIGNATURE.upper(), b"webhook-id", "HTTP_WEBHOOK_TIMESTAMP"]), texts
).filter(lambda name: not isinstance(name, list))


@given(st.dictionaries(names, texts), st.one_of(st.binary(), st.text()))
@example({ID: "\ud800", TIMESTAMP: "1", SIGNATURE: "v1,\ud800"}, "\ud800")
@settings(max_examples=300, deadline=None)
def test_whatever_comes_is_a_failed_verification_and_never_another_error(
    given: dict[Any, Any], body: bytes | str
) -> None:
    with pytest.raises(BadSignature):
        verify(given, body, SECRET)
    for name in (ID, TIMESTAMP, SIGNATURE):  # one of three is wrong, and the others are well formed
        with pytest.raises(BadSignature):
            verified({**headers(), **given, name: given.get(name, "x")}, body=body)


@given(st.binary(min_size=1, max_size=64), st.integers(min_value=0))
@settings(max_examples=100, deadline=None)
def test_a_changed_body_or_signature_is_refused(change: bytes, at: int) -> None:
    body = BODY[: at % len(BODY)] + change + BODY[at % len(BODY) :]
    with pytest.raises(BadSignature):
        verified(headers(), body=body)
    with pytest.raises(BadSignature):
        verified({**headers(), SIGNATURE: f"v1,{base64.b64encode(change).decode()}"})


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b"null", b'{"data": 1}', b"\xff", b"[" * 100_000])
def test_a_signed_body_that_is_no_webhook_is_a_failed_verification(body: bytes) -> None:
    with pytest.raises(BadSignature, match="it is signed, and no webhook"):
        verified(headers(body=body), body=body)


def test_a_body_that_was_read_already_is_said_to_be_the_callers_mistake() -> None:
    with pytest.raises(TypeError, match="the body as it came"):
        verify(headers(), {"type": OUTCOMES}, SECRET)  # type: ignore[arg-type]


def test_a_body_may_be_text_or_any_bytes() -> None:
    bodies: list[str | bytearray | memoryview] = [BODY.decode(), bytearray(BODY), memoryview(BODY)]
    for body in bodies:
        assert verify(headers(), body, SECRET, now=NOW)["data"]


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        ("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "doesn't begin with whsec_"),
        ("whsec_a pass phrase", "secret 1 of 3 isn't whsec_ and base64"),
        ("whsec_passphrase!", "isn't whsec_ and base64"),
        ("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", "isn't whsec_ and base64"),
        ("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZ=", "isn't whsec_ and base64"),
        ("whsec_-_EyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "isn't whsec_ and base64"),
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), "is of 23 bytes: 24 to 64 may be"),
        ("whsec_" + base64.b64encode(b"x" * 65).decode(), "is of 65 bytes"),
        ("whsec_ä", "isn't whsec_ and base64"),
        ("", "no secret"),
        (None, "no secret"),
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(secret: str | None, fault: str) -> None:
    with pytest.raises(BadSettings, match=fault) as refused:
        verify(headers(), BODY, secret)
    assert not any(
        word in str(refused.value) for word in (secret or "").removeprefix("whsec_").split() if len(word) > 4
    )


def test_a_new_secret_is_one_and_is_not_shown() -> None:
    (secret,) = read_secrets(new_secret())
    assert len(secret.key) == 32
    assert "key" not in repr(secret)
    assert new_secret() != new_secret()


def test_the_test_of_an_endpoint_has_nothing_to_act_on() -> None:
    body = write_body([], at=NOW, kind=TEST)
    assert verified(headers(body=body), body=body) == {
        "type": TEST,
        "v": 1,
        "timestamp": "2026-11-30T08:00:00Z",
        "data": [],
    }
