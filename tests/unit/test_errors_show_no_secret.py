"""Errors show no secret: those of wrong settings, which each command begins with, and those that products see."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from overnight_models.errors import BadOutput, BadSettings, OvernightError
from overnight_models.wire.outcome import Outcome
from overnight_producers import Overnight
from overnight_workers.settings import read_settings
from overnight_workers.stages import output_schema
from tests.planted import MARK, Named, assert_shows_none, found_in, free_text, in_url, params, secret

WRONG: list[dict[str, str]] = [
    {"OVERNIGHT_DATABASE_URL": f"postgresql://me:{secret('database')}@127.0.0.1:1/x"},
    {"OVERNIGHT_DATABASE_URL": f"host=127.0.0.1 port=1 password={MARK}-database"},
    {
        "OVERNIGHT_DATABASE_URL": f"postgresql://127.0.0.1:1/x?user=me&password={MARK}-database&sslpassword={MARK}-database"
    },
    {"OVERNIGHT_PRESENCE_URL": f"postgresql://me:{secret('presence')}@127.0.0.1:1/x"},
    {"OVERNIGHT_REDIS_URL": f"redis://me:{in_url('redis')}@127.0.0.1:1/x"},
    {"OVERNIGHT_REDIS_URL": f"redis://me:{secret('redis')}@127.0.0.1:1/0"},
    {"OVERNIGHT_REDIS_URL": f"redis://127.0.0.1:1/0?password={MARK}-redis"},
    {"OVERNIGHT_REDIS_URL": f"nosuch://me:{secret('redis')}@127.0.0.1:1/0"},
    {"OVERNIGHT_WORKSPACES": json.dumps({"default": {"api_key_env": f"sk-ant-{MARK}-key"}})},
    {"OVERNIGHT_WORKSPACES": json.dumps({"default": f"{MARK}-key"})},
    {"OVERNIGHT_WORKSPACES": f"{{'default': {MARK}-key"},
    {"OVERNIGHT_WORKSPACES": json.dumps({"default": {"api_key": f"{MARK}-key"}})},
    {"OVERNIGHT_BROKERS": json.dumps({"a": f"redis://:{MARK}-broker@h"})},
    {"OVERNIGHT_BROKERS": json.dumps({"a": {"url": f"redis://:{secret('broker')}@h", "more": f"{MARK}-broker"}})},
    {"OVERNIGHT_BROKERS": json.dumps({"a": {"url": f"amqp://me:{secret('broker')}@h"}})},
    {"OVERNIGHT_BROKERS": json.dumps({"a": {"url": [f"{MARK}-broker"]}})},
    {"PLANTED_KEY": f"sk-{MARK}-key\n"},
    {"PLANTED_KEY": f"sk-{MARK}\n-key"},
    {"PLANTED_KEY": f"sk-{MARK}-key-é"},
    {
        "ANTHROPIC_BASE_URL": f"http://operator:{in_url('gateway')}@127.0.0.1:1",
        "OVERNIGHT_WORKSPACES": '{"default": {}}',
    },
]


@pytest.mark.parametrize("changed", WRONG, ids=lambda changed: f"{'-'.join(changed)}")
def test_settings_that_are_wrong(changed: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each command begins with them."""
    for name in [name for name in os.environ if name.startswith(("OVERNIGHT_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    workspaces = {"OVERNIGHT_WORKSPACES": json.dumps({"default": {"api_key_env": "PLANTED_KEY"}})}
    for name, value in (workspaces | changed).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    try:
        shown = repr(read_settings())
    except BadSettings as error:
        shown = "".join(traceback.format_exception(error))
    assert found_in(shown) == set(), shown


def wishes(text: str) -> Iterator[Callable[[Overnight], object]]:
    """What a product may do wrong."""
    for wrong in (
        {"messages": text},
        {"model": text},
        {"max_tokens": text},
        {"system": {"text": text}},
        {"more": text},
    ):
        yield lambda overnight, wrong=wrong: overnight.enqueue({**params(text), **wrong})  # type: ignore[misc]
    yield lambda overnight: overnight.enqueue(cast("dict[str, object]", text))
    yield lambda overnight: overnight.enqueue({**params(text), "messages": [{"role": text, "content": {text}}]})
    yield lambda overnight: overnight.enqueue(params(text), output=cast("Any", {"type": text}))
    yield lambda overnight: overnight.enqueue(params(text), callback=cast("Any", {"task": text, "args": text}))
    yield lambda overnight: overnight.confirm(overnight.enqueue(params(text)), timeout=0.1)
    yield lambda overnight: overnight.wait(key="none", timeout=0.1)


@pytest.mark.parametrize("url", [f"redis://me:{in_url('redis')}@127.0.0.1:1/0", f"redis://me:{secret('redis')}@h/0"])
def test_errors_that_products_see(url: str) -> None:
    shown = {}
    for number, wish in enumerate(wishes(free_text("prompt"))):
        try:
            wish(Overnight(url))
        except OvernightError as error:
            shown[str(number)] = "".join(traceback.format_exception(error))
    assert len(shown) == 11
    assert_shows_none(shown)


def test_an_answer_of_another_form_is_not_in_the_error_nor_in_its_detail() -> None:
    schema = json.dumps({"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["other"]})
    answer = json.dumps({"number": secret("answer")})
    assert found_in(str(output_schema.check(schema)(answer))) == set()
    outcome = Outcome(**{**dict.fromkeys(Outcome.__dataclass_fields__), "ok": True, "extra": {}})  # type: ignore[arg-type]
    outcome = replace(outcome, key="k", message={"content": [{"type": "text", "text": answer}]})
    with pytest.raises(BadOutput) as caught:
        outcome.parse(Named)
    assert "number" in str(caught.value)
    assert found_in("".join(traceback.format_exception(caught.value))) == set()
