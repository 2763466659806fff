"""Integers of more than 64 bits go out and come back exactly; what not every reader takes is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from overnight_models.errors import BadItem
from overnight_models.request.prefix import Cutter, Prefix
from overnight_producers import Item
from overnight_producers.item import cut, line_of
from overnight_workers.cli import app
from overnight_workers.item_file import read_line
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, callback, item, params, put_prefix, read_command
from tests.service.ledger import Json

ACCOUNT = 123456789012345678901
MAXIMUM = 10**23
URL = "redis://127.0.0.1:1/0"


def with_tool_call() -> Json:
    """A request with such integers in its first messages and in its tools."""
    call = {"type": "tool_use", "id": "toolu_1", "name": "get", "input": {"account": ACCOUNT}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}
    schema = {"type": "object", "properties": {"account": {"type": "integer", "maximum": MAXIMUM}}}
    return params() | {
        "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ],
        "tools": [{"name": "get", "input_schema": schema, "description": "d" * 2000}],
    }


def sent(service: Service) -> Json:
    """The params that the API got."""
    pack()
    submit()
    api_id = service.ledger.fetch_one("SELECT api_id FROM submission")["api_id"]
    body = json.loads((service.sandbox.data_dir / "bodies" / f"{api_id}.json").read_bytes())
    params_: Json = body["requests"][0]["params"]
    return params_


def test_a_request_from_another_language_is_sent_exactly(service: Service) -> None:
    line = json.dumps(item("a", params=with_tool_call()))
    assert service.accept(line)["accepted"] == 1
    assert service.accept(json.dumps(json.loads(line)))["known"] == 1, "and is the same item again"
    assert sent(service) == with_tool_call()


def test_one_that_goes_on_from_a_prefix_is_sent_exactly(service: Service) -> None:
    whole = with_tool_call()
    prefix = Prefix.of({"tools": whole.pop("tools"), "messages": whole["messages"][:2]})
    line = item("a", params=whole | {"messages": whole["messages"][2:]}, prefix=put_prefix(service, prefix))
    assert service.accept(json.dumps(line))["accepted"] == 1
    assert sent(service) == with_tool_call()


def test_a_product_sends_it_exactly_whole_and_cut() -> None:
    cutter = Cutter()
    line, written = line_of(Item(params=with_tool_call(), key="a"), redis_url=URL)
    assert json.loads(written)["params"] == with_tool_call()
    cut(line, written, cutter, index=0)
    short = cut(line, written, cutter, index=1)
    assert short.prefix is not None
    own = json.loads(short.text)["params"]
    whole = json.loads(short.prefix.document)
    assert {**whole, **own, "messages": whole["messages"] + own["messages"]} == with_tool_call()


def test_a_file_is_read_exactly(service: Service, tmp_path: Path) -> None:
    plain = json.dumps(with_tool_call()).encode()
    assert read_line(plain).params == with_tool_call()
    other = json.dumps(with_tool_call()).replace(str(ACCOUNT), str(ACCOUNT + 1)).encode()
    assert read_line(plain).key != read_line(other).key, "its key is made from its content"


def test_what_a_callback_is_told_is_told_exactly(service: Service) -> None:
    wire_callback = callback(args=[ACCOUNT], kwargs={"maximum": MAXIMUM})
    service.accept(json.dumps(item("a", callback=wire_callback, fault="big_integer")))
    service.round()
    deliver()
    (message,) = service.queue()
    (outcome, account), kwargs, _ = json.loads(message["body"])
    assert (account, kwargs) == (ACCOUNT, {"maximum": MAXIMUM})
    assert outcome["message"]["content"][0]["input"]["value"] == 123456789012345678901234567890
    assert "123456789012345678901234567890" in read_command(app, "outcomes")


def nested(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


UNWRITABLE: list[tuple[Any, str]] = [
    ("cut \ud83d", "`params.messages[0].content` holds half a character"),
    (nested(300), "`params` nests deeper than"),
]


@pytest.mark.parametrize(
    ("content", "words"), [("cut \ud83d", "`messages.0.content`: half a character"), (nested(300), "nested 200 deep")]
)
def test_what_not_every_reader_takes_is_refused_by_name_at_enqueue(content: Any, words: str) -> None:
    asked = params() | {"messages": [{"role": "user", "content": content}]}
    with pytest.raises(BadItem) as refused:
        line_of(Item(params=asked, key="a"), redis_url=URL)
    assert words in refused.value.faults[0]


@pytest.mark.parametrize(("content", "words"), UNWRITABLE)
def test_from_another_language_it_is_refused_by_name_and_no_other_item_with_it(
    service: Service, content: Any, words: str
) -> None:
    bad = item("bad", params=params() | {"messages": [{"role": "user", "content": content}]})
    verdict = service.accept(json.dumps(bad), item("good"))
    assert verdict["accepted"] == 1
    (rejected,) = verdict["rejected"]
    assert (rejected["key"], rejected["why"].startswith(words)) == ("bad", True)
