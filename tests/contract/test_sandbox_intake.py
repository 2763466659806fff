"""Bodies are read request by request, however they are written."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overnight_workers.sandbox.batches import intake
from overnight_workers.sandbox.batches.bodies import Bodies
from overnight_workers.sandbox.batches.intake import take_in
from overnight_workers.sandbox.errors import Refusal

TRAPS = ['},{"custom_id"', '}, {"params"', "]}", '"', "\\", "{[", "ü€😀", "\u2028", "plain"]


def read_back(path: Path, raw: bytes) -> list[Any]:
    path.write_bytes(raw)
    taken = take_in(path)
    with Bodies(path) as bodies:
        in_order = [json.loads(body) for body in bodies.in_order()]
        assert [json.loads(body) for body in bodies.block(0, len(bodies))] == in_order
        assert list(bodies.hashes) == list(taken.hashes)
    return in_order


def requests(texts: list[str]) -> list[Any]:
    return [
        {"custom_id": f"i{number}", "params": {"messages": [{"role": "user", "content": text}], "tags": [{"a": {}}]}}
        for number, text in enumerate(texts)
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(st.text(max_size=40) | st.lists(st.sampled_from(TRAPS), max_size=30).map("".join), min_size=1),
    window=st.integers(64, 400),
    style=st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 2}, {"ensure_ascii": False}]),
)
def test_any_body_is_split_where_its_requests_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: list[str], window: int, style: Any
) -> None:
    monkeypatch.setattr(intake, "_WINDOW", window)
    asked = requests(texts)
    raw = json.dumps({"requests": asked}, **style).encode("utf-8", "ignore")
    assert read_back(tmp_path / "body.json", raw) == json.loads(raw)["requests"]


def test_a_list_that_is_not_the_first_key_is_found(tmp_path: Path) -> None:
    asked = requests(["one", "two"])
    # Known to the reader only as a whole: JSON lets a key come twice, and the last one counts.
    raw = b'{"requests":null,"requests":' + json.dumps(asked).encode() + b"}"
    assert read_back(tmp_path / "body.json", raw) == asked


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b'{"requests":[]}', "at least 1 item"),
        (b'{"requests":[],"more":1}', "more: Extra inputs"),
        (b'{"more":1}', "requests: Field required"),
        (b'{"requests":[{"custom_id":"a","params":{}}],"more":1}', "more: Extra inputs"),
        (b'{"requests":[{"custom_id":"a","params":{}}]} x', "not valid JSON"),
        (b'{"requests":[{"custom_id":"a","params":{}},]}', "not valid JSON"),
        (b'{"requests":[{"custom_id":"a","params":{}}', "not valid JSON"),
        (b'{"requests":[{"custom_id":"a","params":{"x":NaN}}]}', "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(tmp_path: Path, raw: bytes, complaint: str) -> None:
    path = tmp_path / "body.json"
    path.write_bytes(raw)
    with pytest.raises(Refusal, match=complaint):
        take_in(path)


def test_equal_params_have_equal_hashes(tmp_path: Path) -> None:
    def hashes(raw: bytes) -> list[int]:
        (tmp_path / "body.json").write_bytes(raw)
        return list(take_in(tmp_path / "body.json").hashes)

    first = hashes(b'{"requests":[{"custom_id":"a","params":{"x":1,"y":[2]}}]}')
    assert hashes(b'{"requests": [{"params": {"y": [2], "x": 1}, "custom_id": "b"}]}') == first
    assert hashes(b'{"requests":[{"custom_id":"a","params":{"x":1,"y":[3]}}]}') != first
