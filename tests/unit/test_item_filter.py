"""The filter of items, as it is written by a person and by a URL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_workers.operators import item_filter
from overnight_workers.operators.filters import UnknownName

NOW = datetime(2026, 11, 30, 6, 0, 0, tzinfo=UTC)
EVERYTHING = {
    "lane": "copy & paste",
    "tenant": "acme",
    "run": "r=1",
    "state": "failed",
    "problem": "any",
    "model": "claude-haiku-5-5",
    "older": "2h",
    "newer": "2026-11-29T06:00",
    "key": "sku/1",
    "prefix": "sku/",
    "batch": "12",
    "delivery": "dead",
    "queue": "shop",
    "late": "yes",
    "ids": "12,7",
}


def test_each_word_narrows_down_and_ages_become_moments() -> None:
    wanted = item_filter.read(EVERYTHING, now=NOW)
    assert wanted.enqueued_before == NOW - timedelta(hours=2)
    assert wanted.enqueued_since == datetime(2026, 11, 29, 6, tzinfo=UTC)
    assert (wanted.batch_id, wanted.late, wanted.key_prefix) == (12, True, "sku/")
    assert wanted.ids == (7, 12)
    assert len(wanted.narrowed) == len(item_filter.WORDS) == len(EVERYTHING)


def test_what_is_written_is_read_as_the_same_filter() -> None:
    wanted = item_filter.read(EVERYTHING, now=NOW)
    assert item_filter.read(item_filter.written(wanted), now=NOW + timedelta(days=1)) == wanted
    assert item_filter.written(ItemFilter()) == {}
    assert item_filter.spoken(ItemFilter(lane="copy", late=True)) == "lane copy, late yes"
    assert item_filter.spoken(ItemFilter(ids=(1, 2))) == "2 selected"


def test_empty_words_do_not_matter() -> None:
    assert item_filter.read({"lane": " ", "batch": ""}) == ItemFilter()
    assert ItemFilter().is_everything
    assert not ItemFilter(late=True).is_everything


def test_every_fault_of_form_is_said_at_once() -> None:
    given = {
        "lanes": "x",
        "older": "soon",
        "batch": "0",
        "late": "no",
        "lane": "a\x00",
        "newer": "9999999999999d",
        "ids": "1,,2",
    }
    with pytest.raises(UnknownName) as raised:
        item_filter.read(given)
    said = str(raised.value)
    for fault in ("no filter 'lanes'", "not 'soon'", "a batch is a number, and not '0'", "not 'no'", "zero byte"):
        assert fault in said
    assert "newer is an age" in said
    assert "ids are numbers" in said
