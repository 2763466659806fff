"""An item is checked the same way at enqueue and at accept, and nothing that it holds can break the check."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overnight_models.errors import BadItem
from overnight_models.wire.item_check import item_faults, lane_faults
from overnight_models.wire.message import ItemLine
from overnight_models.wire.policy import LanePolicy, Policy
from tests.driving import callback, item

POLICY = Policy(
    {"default": LanePolicy(), "tight": LanePolicy(max_bytes=100, callbacks=("shop.*", "crm.save"))},
    ("crm",),
    ("claude-haiku-5-5",),
    webhooks=("shop", "pager"),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = ("id", "key", "params", "betas", "output", "callback", "tenant", "trace_id")


def told(line: dict[str, Any], lane: str = "default", size: int = 50) -> list[str]:
    return item_faults(cast(ItemLine, line), lane=lane, size=size, policy=POLICY)


def test_a_good_item_has_no_fault() -> None:
    assert (
        told(item("a", callback=callback(args=[1], kwargs={"a": 1}, broker="crm", ack=True), betas=["b-1"], tenant="t"))
        == []
    )


def test_a_webhook_is_known_and_allowed_by_its_lane() -> None:
    assert told(item("a", callback={"webhook": "shop", "context": {"sku": "A1"}})) == []
    (unknown,) = told(item("a", callback={"webhook": "shp"}))
    assert "no webhook 'shp' for a `callback` (known: shop, pager)" in unknown
    (url,) = told(item("a", callback={"webhook": "https://shop.example/"}))
    assert "the NAME of a [webhooks.NAME] of the configuration, never a URL" in url
    (forbidden,) = told(item("a", callback={"webhook": "shop"}), lane="tight")
    assert "doesn't allow the webhook 'webhook:shop': it allows shop.*, crm.save" in forbidden
    assert any("has no 'queue', 'task'" in fault for fault in told(item("a", callback=callback(webhook="shop"))))
    for nonsense in (None, 7, ["shop"], "https://shop.example/"):
        assert len(told(item("a", callback={"webhook": nonsense, "context": 5}))) == 2


def test_a_policy_of_a_version_without_webhooks_knows_none() -> None:
    assert Policy.load(POLICY.dump().replace(b'"webhooks"', b'"new"')).webhooks == ()


def test_an_unknown_lane_names_the_known_ones() -> None:
    assert lane_faults("night", POLICY) == ["there is no lane 'night': the configuration has default, tight"]
    assert told(item("a"), lane="night") == lane_faults("night", POLICY)


def test_an_item_larger_than_a_batch_is_refused() -> None:
    assert told(item("a"), "tight", size=100) == []
    assert told(item("a"), "tight", size=101) == ["the request has 101 bytes; lane 'tight' takes 100 at most"]


@pytest.mark.parametrize("key", ["", "x" * 513, None, 5, ["a"], "a\x00b"])
def test_a_key_is_a_text_of_1_to_512_characters(key: object) -> None:
    assert any("`key`" in fault for fault in told(item("a") | {"key": key}))


def test_an_error_shows_the_beginning_of_a_key_that_is_too_long() -> None:
    error = BadItem(["`key` must be shorter"], key="k" * 5_000)
    assert len(str(error)) < 200
    assert str(error).startswith("item 'kkk")
    assert error.key == "k" * 5_000
    assert str(BadItem(["no"], key="k" * 100)) == f"item '{'k' * 100}': no"


def test_a_callback_that_is_a_name_says_what_to_give() -> None:
    (fault,) = told(item("a") | {"callback": "shop.save"})
    assert "save_copy.s(…)" in fault


def test_callbacks_go_only_where_the_lane_allows() -> None:
    assert told(item("a", callback=callback(task="shop.save")), "tight") == []
    assert told(item("a", callback=callback(task="crm.save")), "tight") == []
    (fault,) = told(item("a", callback=callback(task="crm.delete")), "tight")
    assert fault == "lane 'tight' doesn't allow the callback 'crm.delete': it allows shop.*, crm.save"


@pytest.mark.parametrize("task", ["celery.chord_unlock", "overnight.submit"])
def test_celerys_and_our_own_tasks_are_never_callbacks(task: str) -> None:
    assert len(told(item("a", callback=callback(task=task)))) == 1


def test_a_broker_is_a_name_in_the_configuration() -> None:
    (fault,) = told(item("a", callback=callback(broker="redis://elsewhere")))
    assert fault.startswith("no broker 'redis://elsewhere' for a `callback` (known: crm)")


@pytest.mark.parametrize(
    "bad",
    [
        "shop.save", [], {}, {"task": "t"}, {"queue": "q"}, callback(task=5), callback(queue=5), callback(args="abc"),
        callback(args=5), callback(kwargs=[1]), callback(broker=5), callback(queue="a\x00"), callback(task="a\x00"),
        callback(ack="yes"), callback(ack=1),
    ],
)  # fmt: skip
def test_a_callback_that_could_not_be_delivered_is_refused(bad: object) -> None:
    assert any("`callback`" in fault for fault in told(item("a") | {"callback": bad}))


@pytest.mark.parametrize("name", ["tenant", "trace_id"])
@pytest.mark.parametrize("bad", [5, ["a"], {"a": 1}, "a\x00b"])
def test_what_is_passed_through_must_be_text(name: str, bad: object) -> None:
    (fault,) = told(item("a") | {name: bad})
    assert f"`{name}`" in fault


@pytest.mark.parametrize("bad", ["beta", 5, [5], ["a,b"], ["a\r\nx-api-key: b"], [""], [None], ["ä"]])
def test_betas_are_names_that_fit_a_header(bad: object) -> None:
    (fault,) = told(item("a") | {"betas": bad})
    assert "`betas`" in fault


@given(st.sampled_from(FIELDS), ANYTHING)
def test_no_value_of_any_field_breaks_the_check(name: str, value: object) -> None:
    assert isinstance(told(item("a") | {name: value}), list)


def test_the_published_policy_is_the_same_policy() -> None:
    assert Policy.load(POLICY.dump()) == POLICY


def test_a_newer_policy_can_be_read() -> None:
    newer = POLICY.dump().replace(b'"max_bytes"', b'"colour":1,"max_bytes"').replace(b'{"lanes"', b'{"new":2,"lanes"')
    assert b"colour" in newer
    assert Policy.load(newer) == POLICY
