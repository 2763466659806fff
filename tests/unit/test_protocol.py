"""What one create tells, what one list tells: every status, and every clause counts."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args
from uuid import uuid4

import anthropic.types.shared
import pytest
from anthropic.resources.messages.batches import Batches
from hypothesis import given
from hypothesis import strategies as st

from overnight_workers.anthropic_api.api import Reply
from overnight_workers.stages import protocol
from overnight_workers.stages.protocol import (
    Candidate,
    Created,
    HoldWorkspace,
    Listing,
    NotCreated,
    Reject,
    Sent,
    SlowDown,
    Unclear,
    classify_create_reply,
    why_not_lost,
    why_still_looking,
)

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HERE = uuid4()
SENT = Sent(claimed_at=NOON, quiet_after=NOON + 10 * MINUTE, api_workspace_id="w")
LATER = Listing(NOON + 11 * MINUTE, timedelta(0), "w", back_to=None)
CANDIDATE = Candidate(NOON + MINUTE)
HOLDS = ("enforced_spend_limit_reached", "contract_spend_limit_reached", "organization_on_hold", "cmek_key_disabled",
         "cmek_key_network_blocked", "claude_code_key_creator_not_member", "linked_organization_billing_unavailable",
         "workspace_human_review_disabled", "organization_type_not_supported")  # fmt: skip


@pytest.mark.parametrize("authorized", [False, True])
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, Reject), (413, Reject), (422, Reject), (401, HoldWorkspace), (402, HoldWorkspace), (403, HoldWorkspace),
        (404, HoldWorkspace), (429, SlowDown), (301, HoldWorkspace), (307, HoldWorkspace), (308, HoldWorkspace),
    ],
)  # fmt: skip
def test_these_were_not_created_whatever_was_sent(status: int, authorized: bool, expected: type) -> None:
    assert type(classify_create_reply(Reply(status, authorized), releases=0)) is expected


@pytest.mark.parametrize("status", [None, 408, 409, 418, 451, 499, 500, 502, 503, 504, 520, 529, 302])
def test_anything_else_may_have_been_created_once_the_last_byte_was_let_go(status: int | None) -> None:
    assert type(classify_create_reply(Reply(status, last_byte_authorized=True), releases=0)) is Unclear
    assert type(classify_create_reply(Reply(status, last_byte_authorized=False), releases=0)) is NotCreated


def test_a_success_without_an_id_may_have_been_created() -> None:
    assert type(classify_create_reply(Reply(200, last_byte_authorized=True, text="x"), releases=0)) is Unclear
    assert classify_create_reply(Reply(200, last_byte_authorized=True, api_id="b"), releases=0) == Created("b")


@pytest.mark.parametrize("status", [400, 429, 403])
@pytest.mark.parametrize("code", HOLDS)
def test_money_and_permission_hold_the_workspace_whatever_the_status(status: int, code: str) -> None:
    assert (
        type(classify_create_reply(Reply(status, last_byte_authorized=True, error_code=code), releases=0))
        is HoldWorkspace
    )


@pytest.mark.parametrize("code", ["request_body_encoding_invalid", "image_dimensions_too_large", "invalid_metadata"])
def test_a_code_about_the_request_rejects_it_and_holds_nothing(code: str) -> None:
    assert type(classify_create_reply(Reply(400, last_byte_authorized=True, error_code=code), releases=0)) is Reject


@pytest.mark.parametrize("status", [503, 409, None])
def test_a_code_about_the_account_with_a_status_that_proves_nothing_stays_unclear(status: int | None) -> None:
    reply = Reply(status, last_byte_authorized=True, error_code="cmek_key_unreachable")
    assert type(classify_create_reply(reply, releases=0)) is Unclear


def test_every_error_that_the_sdk_names_for_a_create_holds_the_workspace() -> None:
    words = inspect.getdoc(Batches.create) or ""
    named = re.findall(r"^ +(\w+Error):$", words.partition("Raises:")[2], re.MULTILINE)
    assert "WorkspaceHumanReviewDisabledError" in named
    for name in named:
        error = getattr(anthropic.types.shared, name)
        (code,) = get_args(error.__annotations__["error_code"])
        held = classify_create_reply(Reply(400, last_byte_authorized=True, error_code=code), releases=0)
        assert isinstance(held, HoldWorkspace), code
        assert held.until_resumed is (code == "workspace_human_review_disabled")


@pytest.mark.parametrize(
    "words",
    [
        "You have reached your specified API usage limits. You will regain access on 2026-12-01.",
        "You have reached your specified workspace API usage limits.",
        "Your credit balance is too low to access the Anthropic API.",
    ],
)
def test_a_400_about_money_holds_the_workspace_and_rejects_nothing(words: str) -> None:
    conclusion = classify_create_reply(
        Reply(400, last_byte_authorized=True, text=f"invalid_request_error: {words}"), releases=0
    )
    assert conclusion == HoldWorkspace(f"400 invalid_request_error: {words}")


def test_the_apis_wish_to_wait_is_followed_within_an_hour() -> None:
    def pause(**more: float | None) -> float:
        conclusion = classify_create_reply(
            Reply(429, last_byte_authorized=True, retry_after_s=more.get("after")), releases=0
        )
        assert isinstance(conclusion, SlowDown)
        return conclusion.pause_s

    assert pause(after=40) == 40
    assert pause(after=7200) == 3600
    assert pause() == 15
    assert pause(after=0) == 15


@given(st.integers(0, 10_000), st.sampled_from([None, 400, 402, 429, 500, 529]), st.booleans())
def test_however_often_it_failed_something_is_concluded_and_the_pause_has_an_end(
    releases: int, status: int | None, authorized: bool
) -> None:
    conclusion = classify_create_reply(Reply(status, authorized), releases=releases)
    if isinstance(conclusion, NotCreated):
        assert 2 <= conclusion.pause_s <= 300
        following = classify_create_reply(Reply(status, authorized), releases=releases + 1)
        assert isinstance(following, NotCreated)
        assert following.pause_s >= conclusion.pause_s


def test_a_list_that_counts_says_never_created() -> None:
    assert why_not_lost(SENT, LATER, []) is None


@pytest.mark.parametrize(
    ("listing", "why"),
    [
        (replace(LATER, started_at=SENT.quiet_after), "quiet time"),
        (replace(LATER, api_workspace_id="other"), "another workspace"),
        (replace(LATER, api_workspace_id=""), "another workspace"),
        (replace(LATER, back_to=NOON - MINUTE), "far enough"),
    ],
)
def test_each_clause_alone_keeps_it_unclear(listing: Listing, why: str) -> None:
    assert why in str(why_not_lost(SENT, listing, []))


def test_a_list_back_past_the_claim_goes_back_far_enough() -> None:
    assert why_not_lost(SENT, replace(LATER, back_to=NOON - 2 * MINUTE), []) is None


def test_a_batch_of_the_same_time_keeps_it_unclear() -> None:
    assert "same time" in str(why_not_lost(SENT, LATER, [CANDIDATE]))


@pytest.mark.parametrize(
    "candidate",
    [
        replace(CANDIDATE, created_at=NOON - 2 * MINUTE - timedelta(seconds=1)),
        replace(CANDIDATE, created_at=NOON + 12 * MINUTE + timedelta(seconds=1)),
    ],
)
def test_a_batch_of_another_time_can_not_be_it(candidate: Candidate) -> None:
    assert why_not_lost(SENT, LATER, [candidate]) is None


def test_times_are_compared_by_the_apis_clock() -> None:
    an_hour_ahead = replace(LATER, api_clock_ahead=60 * MINUTE)
    assert why_not_lost(SENT, an_hour_ahead, [CANDIDATE]) is None
    assert why_not_lost(SENT, an_hour_ahead, [replace(CANDIDATE, created_at=NOON + 61 * MINUTE)]) is not None
    assert why_not_lost(SENT, replace(an_hour_ahead, back_to=NOON + 59 * MINUTE), []) is not None
    assert why_not_lost(SENT, replace(an_hour_ahead, back_to=NOON + 58 * MINUTE), []) is None


@given(st.integers(0, 2**63 - 1))
def test_a_custom_id_comes_back_as_it_was_and_is_one_that_the_api_takes(item_id: int) -> None:
    token = protocol.new_token(HERE)
    custom_id = protocol.custom_id(token, item_id)
    assert protocol.read_custom_id(custom_id) == (token, item_id)
    assert len(custom_id) <= 64
    assert set(custom_id) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


@given(st.text(max_size=70))
def test_nobody_elses_custom_id_is_read_as_ours(text: str) -> None:
    read = protocol.read_custom_id(text)
    assert read is None or protocol.custom_id(read[0], read[1]) == text.replace(text[21:], str(read[1]))


def test_a_token_bears_the_mark_of_its_deployment_and_of_no_other() -> None:
    tokens = [protocol.new_token(HERE) for _ in range(1000)]
    assert all(protocol.is_marked(HERE, token) for token in tokens)
    assert not any(protocol.is_marked(uuid4(), token) for token in tokens)
    assert not protocol.is_marked(HERE, tokens[0][1:] + "A")


def test_tokens_differ() -> None:
    assert len({protocol.new_token(HERE) for _ in range(1000)}) == 1000


LOOKED = Listing(
    started_at=NOON + 11 * MINUTE, api_clock_ahead=timedelta(0), api_workspace_id="w", back_to=NOON - 60 * MINUTE
)


def looking(listing: Listing = LOOKED, *, api_workspace_id: str | None = "w", undecided: int = 0) -> str | None:
    since, until = NOON - 50 * MINUTE, NOON + 10 * MINUTE
    return why_still_looking(listing, since=since, until=until, api_workspace_id=api_workspace_id, undecided=undecided)


def test_a_restored_ledger_sends_when_a_list_that_counts_shows_nothing_undecided() -> None:
    assert looking() is None
    assert looking(replace(LOOKED, back_to=None)) is None
    assert looking(api_workspace_id=None) is None, "it never sent, so it doesn't know what its workspace is called"


@pytest.mark.parametrize(
    "why",
    [
        looking(replace(LOOKED, started_at=NOON + 10 * MINUTE)),
        looking(replace(LOOKED, api_workspace_id="another")),
        looking(replace(LOOKED, back_to=NOON - 49 * MINUTE)),
        looking(undecided=1),
    ],
)
def test_a_restored_ledger_waits_while_a_list_does_not_count_or_something_may_be_its_own(why: str | None) -> None:
    assert why


def test_what_a_person_points_at_keeps_a_submission_unclear_whatever_its_time() -> None:
    pointed_at = replace(CANDIDATE, created_at=NOON - 60 * MINUTE, believed=True)
    assert "a person says" in str(why_not_lost(SENT, LATER, [pointed_at]))
