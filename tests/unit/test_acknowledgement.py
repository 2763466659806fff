"""An acknowledgement comes back as it was sent, or is known not to be one; and saying it never costs a task."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import orjson
import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from overnight_models.routes import ACKS_KEY
from overnight_models.wire.acknowledgement import Acknowledgement, read_acknowledgements
from overnight_producers import acknowledging
from overnight_producers.acknowledging import Teller


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**15 - 1), st.uuids())
def test_it_survives_the_way(item_id: int, generation: int, receipt: UUID) -> None:
    sent = Acknowledgement(item_id, generation, receipt)
    assert Acknowledgement.read(sent.write().encode()) == sent


@given(st.binary() | st.text().map(str.encode) | st.from_regex(rb"\A-?\d*\.-?\d*\.[0-9a-f-]*\Z"))
def test_whatever_is_pushed_can_be_read_and_fits_the_ledger(word: bytes) -> None:
    acknowledgement = Acknowledgement.read(word)
    assert acknowledgement is None or (acknowledgement.item_id < 2**63 and acknowledgement.generation < 2**15)


def test_several_are_pushed_as_json_and_what_is_none_among_them_costs_the_others_nothing() -> None:
    words = ["1.0.3f5c2f7e-9a53-4d3e-8a53-b0c1d2e3f405", "2.1.3f5c2f7e-9a53-4d3e-8a53-b0c1d2e3f406"]
    one, two = (Acknowledgement.read(word.encode()) for word in words)
    assert read_acknowledgements(words[0].encode()) == [one]
    assert read_acknowledgements(orjson.dumps({"v": 1, "acks": words, "later": 1})) == [one, two]
    assert read_acknowledgements(orjson.dumps({"v": 1, "acks": [words[0], "x", 7, words[1]]})) == [one, None, None, two]
    assert read_acknowledgements(orjson.dumps({"v": 1, "acks": []})) == []


@pytest.mark.parametrize(
    "pushed", [b"{", b"{}", b'{"v": 2, "acks": []}', b'{"v": 1}', b'{"v": 1, "acks": "x"}', b"", b"[]"]
)
def test_json_that_is_no_acknowledgement_is_known_as_none(pushed: bytes) -> None:
    assert read_acknowledgements(pushed) == [None]


@given(st.binary() | st.text().map(lambda text: orjson.dumps({"v": 1, "acks": [text]})))
def test_whatever_is_pushed_is_read_without_an_error(pushed: bytes) -> None:
    assert all(word is None or word.generation < 2**15 for word in read_acknowledgements(pushed))


def test_outside_of_a_task_nothing_is_asked() -> None:
    assert acknowledging.asked() is None


def test_what_could_not_be_said_is_said_with_the_next(redis_url: str) -> None:
    teller = Teller(redis_url, pause_s=0.0)
    with redis.Redis.from_url(redis_url) as client:
        client.set(ACKS_KEY, "not a list")
        teller.tell("one")
        teller.tell("two")
        client.delete(ACKS_KEY)
        teller.tell("three")
        assert client.lrange(ACKS_KEY, 0, -1) == [b"three", b"two", b"one"]


def test_after_a_redis_that_is_away_no_task_waits_for_it_again_for_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    teller = Teller("redis://127.0.0.1:1/0")
    for _ in range(1000):
        teller.tell("word")
    assert len(caplog.records) == 1


def test_without_a_word_where_redis_is_nothing_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("OVERNIGHT_REDIS_URL", raising=False)
    monkeypatch.setenv("OVERNIGHT_DATA_DIR", str(tmp_path))
    acknowledging.acknowledge("word")
    assert "OVERNIGHT_REDIS_URL" in caplog.text
