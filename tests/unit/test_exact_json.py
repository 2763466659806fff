"""JSON, exactly: integers of any length both ways, and what orjson alone can't read."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight_models import exact_json

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@given(ANYTHING)
def test_what_is_written_is_read_as_it_was(value: Any) -> None:
    try:
        written = exact_json.dumps(value)
    except (TypeError, UnicodeEncodeError):
        return  # a name with half a character in it
    assert exact_json.loads(written) == value
    assert json.loads(written) == value
    assert exact_json.mended(written) == value


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**64 - 1, 2**64, -(2**63) - 1, 10**19, 10**18])
def test_an_integer_of_any_length_is_exact(number: int) -> None:
    written = exact_json.dumps({"n": number})
    assert written == b'{"n":%b}' % str(number).encode()
    assert exact_json.loads(written) == {"n": number}
    assert exact_json.loads(written.decode()) == {"n": number}


@given(
    st.text(max_size=40),
    st.sampled_from([17, 18, 19, 20, 40]),
    st.text("aé\u0663 0.,", min_size=1, max_size=40),
    st.booleans(),
)
def test_nineteen_digits_in_a_row_are_seen_wherever_they_stand(before: str, n: int, after: str, as_bytes: bool) -> None:
    text = f"{before}x{'8' * n}x{after}"
    written = text.encode() if as_bytes else text
    assert exact_json.holds_long_number(written) == (re.search("[0-9]{19}", text, re.ASCII) is not None)


def test_what_nests_deeper_than_orjson_writes_is_an_error_and_no_crash() -> None:
    assert exact_json.dumps(nested(exact_json.MOST_LEVELS))
    for levels in (exact_json.MOST_LEVELS + 1, 900, 100_000):
        with pytest.raises(ValueError, match="nested"):
            exact_json.dumps(nested(levels))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb'"cut \ud83d"', "cut \ufffd"),
        (rb'"\ud83d\ud83d\ude00 \udc00"', "\ufffd\U0001f600 \ufffd"),
        (rb'["\\ud83d", "\ud83d"]', [r"\ud83d", "\ufffd"]),
        (rb'{"\ud83d": 1}', {"\ufffd": 1}),
        (b"[NaN, -Infinity, 1e400, -1e400]", ["NaN", "-Infinity", "1e400", "-1e400"]),
        (b'"\xff\xed\xa0\x80"', "\ufffd\ufffd\ufffd\ufffd"),
        (b'"a\x00b\x01"', "a\x00b\x01"),
        (b"\xef\xbb\xbf{}", {}),
    ],
)
def test_what_orjson_can_not_read_is_read_as_well_as_it_can_be(text: bytes, value: Any) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(text)
    read = exact_json.mended(text)
    assert read == value
    assert exact_json.loads(exact_json.dumps(read)) == value, "and written for everybody"


def test_an_integer_that_python_does_not_read_is_a_text() -> None:
    assert exact_json.mended(b"[%b]" % (b"9" * 5000)) == ["9" * 5000]


@pytest.mark.parametrize("text", [b"", b"{", b'{"a":1}}', b"[" * 100_000, b'{"a": "b"c"}', b"\xff"])
def test_what_nobody_can_read_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Extra data|nested"):
        exact_json.mended(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"messages": [{"content": "cut \ud83d"}]}, "`params.messages[0].content` holds half a character"),
        ({"metadata": {"\ud83d": 1}}, "`params.metadata` has a name with half a character"),
        ({"a": nested(300)}, "`params` nests deeper than 254 levels"),
        ({"a": [10**5000]}, "`params.a[0]` is an integer of more than 4,300 digits"),
    ],
)
def test_what_can_not_be_sent_is_named_by_its_place(value: Any, words: str) -> None:
    fault = exact_json.fault_in(value, "params", most_levels=exact_json.MOST_LEVELS)
    assert fault is not None
    assert fault.startswith(words)


def test_what_can_be_sent_has_no_fault() -> None:
    assert exact_json.fault_in({"a": [1, "ü", None, 10**50, True]}, "params", most_levels=10) is None
