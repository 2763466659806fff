"""Redaction: a path or a name hides its field in bodies, errors and logs, and nothing else."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from overnight_models.ledger.operators.item_life import Body
from overnight_workers import redaction
from overnight_workers.flower_tab.act_pages import shown_body
from overnight_workers.operators import targets
from overnight_workers.operators.fingerprints import masked
from overnight_workers.operators.foreign_texts import everybody
from overnight_workers.settings import settings
from overnight_workers.telemetry import logs
from tests.configured import Given, faults

PARAMS: dict[str, Any] = {
    "model": "m",
    "metadata": {"user_id": "u-4711", "email": "ann@example.com"},
    "messages": [
        {"role": "user", "content": "I am Ann"},
        {"role": "user", "content": [{"type": "text", "text": "and I am ill", "email": {"of": "ann"}}]},
    ],
}
Redact = Callable[..., None]


@pytest.fixture
def redact(monkeypatch: pytest.MonkeyPatch) -> Iterator[Redact]:
    """Hide these."""

    def configure(*paths: str) -> None:
        monkeypatch.setenv("OVERNIGHT_PRIVACY", json.dumps({"redact": paths}))
        settings.cache_clear()

    yield configure
    settings.cache_clear()


def hidden(*place: str | int) -> dict[str, Any]:
    """The request, with an ellipsis at that place."""
    copy: dict[str, Any] = json.loads(json.dumps(PARAMS))
    part: Any = copy
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = redaction.HIDDEN
    return copy


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("params.metadata.user_id", ["metadata", "user_id"]),
        ("params.metadata", ["metadata"]),
        ("params.*.user_id", ["metadata", "user_id"]),
        ("params.messages.0.content", ["messages", 0, "content"]),
        ("params.messages.*.content.*.text", ["messages", 1, "content", 0, "text"]),
        ("user_id", ["metadata", "user_id"]),
        ("params.messages.0", ["messages", 0]),
    ],
)
def test_a_path_hides_what_lies_at_it(redact: Redact, path: str, place: list[str | int]) -> None:
    redact(path)
    assert redaction.document(PARAMS, "params") == hidden(*place)


def test_what_problems_say_shows_nothing_of_a_hidden_field(redact: Redact) -> None:
    assert masked("errored", "name: Alice is unknown") == "name: Alice is unknown"
    redact("name")
    assert masked("errored", "name: Alice is unknown") == "name: … is unknown"


def test_a_name_alone_hides_its_field_wherever_it_stands(redact: Redact) -> None:
    redact("email")
    seen = json.dumps(redaction.document(PARAMS, "params"))
    assert "ann@example.com" not in seen
    assert '"of"' not in seen
    assert "I am Ann" in seen


def test_a_path_of_a_request_is_none_of_an_answer(redact: Redact) -> None:
    redact("params.content", "message.id")
    assert redaction.document({"content": 1, "id": 2}, "message") == {"content": 1, "id": redaction.HIDDEN}


def test_without_a_wish_nothing_is_changed() -> None:
    settings.cache_clear()
    assert redaction.json_text('{"email":1.50}', "params") == '{"email":1.50}'
    assert redaction.text("email: a") == "email: a"


@pytest.mark.parametrize(
    "said",
    [
        "email: ann@example.com is no good",
        'at {"email": "ann@example.com"}',
        "{'email': 'ann@example.com', 'a': 1}",
        "Email=ann@example.com",
        '"email":["ann@example.com","bob"]',
    ],
)
def test_in_a_text_what_follows_the_name_is_hidden(redact: Redact, said: str) -> None:
    redact("params.metadata.email")
    assert "ann@example.com" not in redaction.text(said)
    assert "mail" in redaction.text(said)


def test_a_reader_of_bodies_sees_neither_the_field_nor_what_an_error_quotes_of_it(redact: Redact) -> None:
    redact("params.messages.*.content", "message.content.*.text")
    answer = json.dumps({"content": [{"type": "text", "text": "Get well soon"}], "stop_reason": "end_turn"})
    body = Body(json.dumps(PARAMS), None, answer, "the model says: I am Ann, Get well soon")
    seen = shown_body(body)
    assert seen is not None
    assert "u-4711" in seen.params
    assert "end_turn" in str(seen.message)
    for secret in ("I am Ann", "and I am ill", "Get well soon"):
        assert secret not in str(seen)


def test_no_line_of_a_log_and_no_exception_shows_it(redact: Redact, capsys: pytest.CaptureFixture[str]) -> None:
    redact("email", "params.metadata.user_id")
    root = logging.getLogger()
    before = root.handlers[:], root.level
    logs.configure("INFO")
    try:
        log = logs.get("tests")
        log.info("seen", email="ann@example.com", item={"email": "ann@example.com"}, error="user_id: u-4711 is odd")
        log.info("several", faults=["email: ann@example.com"], by_item={"1": ("odd", "user_id=u-4711")})
        logging.getLogger("foreign").warning('{"email": "ann@example.com"}')
        try:
            raise ValueError('user_id="u-4711"')
        except ValueError:
            log.exception("failed")
    finally:
        root.handlers[:], root.level = before
    written = capsys.readouterr().err
    assert "seen" in written
    assert "failed" in written
    assert "ann@example.com" not in written
    assert "u-4711" not in written
    assert "u-4711" not in logs.brief('ValueError: user_id="u-4711"')
    assert everybody("user_id: word is bad") == "user_id: … is bad"


def test_a_text_about_a_target_says_its_names_and_how_many_messages_it_has() -> None:
    said = "queue 'shop.copy-2' has 1,234,567 messages; max_queue is 1,000,000, says 'ann@example.com' at `shop-9`"
    assert everybody(said, names=targets.names("eu", "shop.copy-2")) == (
        "queue 'shop.copy-2' has 1,234,567 messages; max_queue is 1,000,000, says … at …"
    )
    quoted = "role 'my mother is ill' of \"shop.copy-2\" is unknown"
    assert everybody(quoted, names=("shop.copy-2",)) == 'role … of "shop.copy-2" is unknown'
    assert everybody(said) == "queue … has 1,234,567 messages; max_queue is 1,000,000, says … at …"
    assert everybody("broker 'eu': [Errno -2] 4111111111111111", names=targets.names("eu", "q")) == (
        "broker 'eu': [Errno -2] …"
    )


@pytest.mark.parametrize("path", ["", "params", "answer.text", "params..x", "params.*", "a b", "params.x y"])
def test_what_is_no_path_is_a_fault(given: Given, path: str) -> None:
    if path == "params":  # the name of a field like any other
        assert given('[privacy]\nredact = ["params"]').privacy.redact == ("params",)
        return
    (fault,) = faults(given, f'[privacy]\nredact = ["{path}"]')
    assert fault.startswith(f"[privacy] redact: {path!r} is no path: ")
