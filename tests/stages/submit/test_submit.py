"""Submit: what goes over the wire, and what each answer to a create leads to."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from overnight_models.ledger.cancel import Canceled, cancel
from overnight_models.ledger.submit import submit as ledger
from overnight_workers import process
from overnight_workers.cli.steer import resume
from overnight_workers.stages import protocol
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, item, params, text_of
from tests.waiting import wait_until

HOLD = {"message": "Your credit balance is too low to access the Anthropic API."}


def packed(service: Service, *keys: str) -> None:
    service.accept(*(item(key) for key in keys or ("a",)))
    pack()


def answered(service: Service, **rule: Any) -> tuple[str, str]:
    """The states of batch and submission after one create that was answered so."""
    packed(service)
    service.api.fault("create", "status", count=1, **rule)
    submit()
    return service.ledger.states("batch")[0], service.ledger.states("submission")[0]


def test_the_body_is_exactly_the_items(service: Service) -> None:
    odd = params('ä\n"\u2028😀', tools=[{"name": "t", "input_schema": {"type": "object", "b": 1, "a": [1.5, None]}}])
    service.accept(item("a", params=odd), item("b"), item("c"))
    pack()
    submit()
    sent = service.ledger.fetch_one("SELECT token, api_id, items FROM submission")
    body = service.api.body_at_the_api(sent["api_id"])
    ids = {key: service.ledger.item(key)["id"] for key in "abc"}
    assert body == {
        "requests": [
            {"custom_id": protocol.custom_id(sent["token"], ids["a"]), "params": odd},
            {"custom_id": protocol.custom_id(sent["token"], ids["b"]), "params": params(text_of("b"))},
            {"custom_id": protocol.custom_id(sent["token"], ids["c"]), "params": params(text_of("c"))},
        ]
    }
    assert sent["items"] == 3


def test_a_body_of_long_requests_takes_the_memory_of_a_few(service: Service) -> None:
    packed(service)
    submit()  # everything is imported and connected
    for number in range(60):
        service.accept(item(f"k{number}", "word " * 200_000))
    pack()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is the present
    before_mb = peak_mb()
    submit()
    assert service.ledger.states("batch") == ["open", "open"]
    assert peak_mb() - before_mb < 40


def peak_mb() -> int:
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    return int(peak[1]) // 1024


def test_every_create_has_a_token_of_its_own(service: Service) -> None:
    packed(service, "a")
    packed(service, "b")
    submit()
    assert service.ledger.fetch_one("SELECT count(DISTINCT token) AS n FROM submission")["n"] == 2


@pytest.mark.parametrize("status", [500, 502, 503, 504, 529, 408, 409])
@pytest.mark.parametrize("accepted", [False, True])
def test_an_answer_that_says_nothing_is_unclear_and_not_repeated(service: Service, status: int, accepted: bool) -> None:
    assert answered(service, status=status, accepted=accepted) == ("unclear", "unclear")
    service.clock.pauses_are_over()
    submit()
    assert service.api.meter()["creates"] == accepted


@pytest.mark.parametrize("do", ["lose_answer", "close_after_body"])
def test_a_lost_answer_is_unclear_and_not_repeated(service: Service, do: str) -> None:
    packed(service)
    service.api.fault("create", do, count=1)
    submit()
    submit()
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["unclear"], ["unclear"])
    assert service.api.meter()["creates"] == (do == "lose_answer")


def test_an_answer_that_comes_late_is_an_answer(service: Service) -> None:
    packed(service)
    service.api.fault("create", "delay", seconds=0.5, count=1)
    submit()
    assert service.ledger.states("submission") == ["open"]


def test_an_answer_that_comes_too_late_leaves_it_unclear_and_its_batch_is_found(service: Service) -> None:
    service.configure(timing={"create_timeout": "4s"})
    packed(service)
    service.api.fault("create", "delay", seconds=30, count=1)
    submit()
    assert (service.ledger.states("submission"), service.ledger.states("batch")) == (["unclear"], ["unclear"])
    service.finish()
    assert service.ledger.item("a")["state"] == "succeeded"
    assert service.api.meter()["creates"] == 1


def test_a_sender_that_outlives_its_time_is_ended_by_the_kernel(service: Service) -> None:
    words = [
        sys.executable,
        "-c",
        "import signal; from overnight_workers.stages.submit import submit\nwith submit._dead_by(0.1): signal.pause()",
    ]
    assert subprocess.run(words, capture_output=True, check=False).returncode == -signal.SIGALRM


@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_money_and_permission_hold_the_workspace_and_count_nothing(service: Service, status: int) -> None:
    assert answered(service, status=status, message="Pay first") == ("packed", "void")
    workspace = service.ledger.fetch_one("SELECT * FROM workspace")
    assert "Pay first" in workspace["held_reason"]
    service.clock.pauses_are_over()
    submit()
    assert service.ledger.states("submission") == ["void"]
    assert service.ledger.item("a")["attempts"] == 0


def test_a_held_workspace_goes_on_by_itself_when_the_api_answers_again(service: Service) -> None:
    answered(service, status=400, **HOLD)
    poll()
    assert service.ledger.fetch_one("SELECT held_at FROM workspace")["held_at"] is not None, (
        "not before a minute has passed"
    )
    service.ledger.execute("UPDATE workspace SET held_at = held_at - interval '61 s'")
    poll()
    assert service.ledger.fetch_one("SELECT held_at FROM workspace")["held_at"] is None
    service.finish()
    assert service.ledger.item("a")["state"] == "succeeded"
    assert service.api.meter()["creates"] == 1


def test_a_workspace_that_was_held_a_thousand_times_still_goes_on(service: Service) -> None:
    packed(service)
    service.ledger.execute("UPDATE batch SET releases = 5000")
    service.api.fault("create", "status", status=529, count=1)
    submit()
    assert service.ledger.states("batch") == ["unclear"]


def test_a_held_workspace_stalls_no_other(service: Service) -> None:
    service.configure(lanes={"other": {"workspace": "two", "max_wait": "0s"}}, workspaces={"two": {}})
    packed(service)
    service.accept(item("b"), lane="other")
    pack()
    service.api.fault("create", "status", status=402, count=1)
    submit()
    assert service.ledger.states("batch") == ["packed", "open"]


def test_a_create_that_hangs_delays_no_other_workspace(service: Service) -> None:
    patient = {"create_timeout": "2m", "lease": "4m"}
    service.configure(lanes={"other": {"workspace": "two", "max_wait": "0s"}}, workspaces={"two": {}}, timing=patient)
    packed(service, "a")
    packed(service, "b")
    service.api.fault("create", "delay", seconds=100, count=1)
    submitter = [sys.executable, "-c", "from overnight_workers.stages.submit.submit import submit; submit()"]
    with ExitStack() as stack:
        hanging = stack.enter_context(subprocess.Popen(submitter))
        stack.callback(hanging.kill)
        wait_until(lambda: service.ledger.states("submission") == ["sending"])
        submit()
        assert service.ledger.states("submission") == ["sending"], "a second one would hang there too"
        service.accept(item("c"), lane="other")
        pack()
        submit()
        assert service.ledger.states("submission") == ["sending", "open"], "created while the first create still hangs"
        assert service.ledger.item("c")["state"] == "batched"


def test_a_workspace_without_a_key_is_held_and_stalls_no_other(service: Service) -> None:
    two = {"two": {"api_key_env": "A_KEY_THAT_NOBODY_SET"}}
    service.configure(lanes={"other": {"workspace": "two", "max_wait": "0s"}}, workspaces=two)
    service.accept(item("a"), lane="other")
    service.accept(item("b"))
    pack()
    submit()
    assert (service.ledger.item("b")["batch_id"], sorted(service.ledger.states("batch"))) == (2, ["open", "packed"])
    assert (
        "A_KEY_THAT_NOBODY_SET"
        in service.ledger.fetch_one("SELECT held_reason FROM workspace WHERE name = 'two'")["held_reason"]
    )
    poll()
    assert sorted(service.ledger.states("batch")) == ["ended", "packed"]


def test_too_many_requests_slow_the_workspace_down_as_long_as_the_api_says(service: Service) -> None:
    assert answered(service, status=429, retry_after=400) == ("packed", "void")
    wait = service.ledger.fetch_one("SELECT extract(epoch FROM not_before - now())::float AS s FROM workspace")["s"]
    assert 300 < wait <= 400
    submit()
    assert service.api.meter()["creates"] == 0
    service.clock.pauses_are_over()
    submit()
    assert service.api.meter()["creates"] == 1


def test_hours_that_the_api_asks_for_put_no_worker_to_sleep(service: Service) -> None:
    assert answered(service, status=429, retry_after=6 * 3600) == ("packed", "void")
    submit()
    assert service.api.meter()["creates"] == 0


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "organization_on_hold"])
def test_a_spend_limit_holds_though_it_looks_like_a_rate_limit(service: Service, code: str) -> None:
    assert answered(service, status=429, error_code=code) == ("packed", "void")
    assert code in service.ledger.fetch_one("SELECT held_reason FROM workspace")["held_reason"]
    assert service.ledger.item("a")["attempts"] == 0


def test_human_review_that_is_off_holds_the_workspace_until_it_is_resumed(service: Service) -> None:
    code = "workspace_human_review_disabled"
    assert answered(service, status=400, error_code=code) == ("packed", "void")
    service.ledger.execute("UPDATE workspace SET held_at = held_at - interval '3 days'")
    poll()
    submit()
    workspace = service.ledger.fetch_one("SELECT * FROM workspace")
    assert code in workspace["held_reason"]
    assert workspace["held_until_resumed"]
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["packed"], ["void"]), (
        "neither divided nor tried again"
    )
    resume(everything=True)
    service.clock.pauses_are_over()
    service.finish()
    assert service.ledger.item("a")["state"] == "succeeded"


@pytest.mark.parametrize(("code", "held"), [("workspace_human_review_disabled", True), (None, False)])
def test_a_list_that_is_turned_down_holds_the_workspace_only_when_it_is_about_the_account(
    service: Service, code: str | None, held: bool
) -> None:
    packed(service)
    service.api.fault("list", "status", status=400, error_code=code, count=1)
    submit()
    assert service.ledger.states("batch") == ["packed"]
    assert (service.ledger.fetch_one("SELECT held_at FROM workspace")["held_at"] is not None) is held


@pytest.mark.parametrize("form", ["ms", "date"])
def test_a_pause_is_kept_in_whatever_form_the_api_asks_for_it(service: Service, form: str) -> None:
    assert answered(service, status=429, retry_after=400, retry_after_as=form) == ("packed", "void")
    wait = service.ledger.fetch_one("SELECT extract(epoch FROM not_before - now())::float AS s FROM workspace")["s"]
    assert 390 < wait <= 401


def test_a_connection_that_closes_while_the_body_is_sent_created_nothing(service: Service) -> None:
    service.accept(*(item(f"k{n}", "x" * 30_000) for n in range(30)))
    pack()
    service.api.fault("create", "close_before_body", count=1)
    submit()
    if service.ledger.states("batch") == ["packed"]:  # the last bytes were not let go
        assert service.ledger.states("submission") == ["void"]
    service.clock.quiet_is_over()
    service.finish()
    assert service.api.meter()["requests"] == 30


def test_a_list_that_is_turned_down_says_nothing_about_the_batch(service: Service) -> None:
    packed(service, "a", "b")
    service.api.fault("list", "status", status=400, count=1)
    submit()
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["packed"], ["void"])


def test_a_paused_lane_is_not_sent(service: Service) -> None:
    packed(service)
    service.ledger.execute("UPDATE lane SET paused_at = now()")
    submit()
    assert service.ledger.states("batch") == ["packed"]


def test_betas_and_the_api_version_travel_as_headers(service: Service) -> None:
    service.configure(lanes={"old": {"api_version": "2023-06-01", "max_wait": "0s"}})
    service.accept(item("a", params=params(temperature=0.1), betas=["z-1", "a-1"]), lane="old")
    service.finish()
    assert service.ledger.item("a")["state"] == "succeeded", "the newer version would have refused `temperature`"
    assert service.ledger.fetch_one("SELECT betas FROM headers")["betas"] == "a-1,z-1"


def test_a_lease_that_lapses_while_the_body_is_built_loses_the_batch(service: Service) -> None:
    packed(service)
    database = process.database()
    with database.transaction() as connection:
        claim = ledger.claim(
            connection, token=protocol.new_token(process.deployment()), owner=database.owner(), lease_s=60
        )
    assert claim is not None
    service.clock.leases_lapse()
    with database.transaction() as connection:
        assert not ledger.send(connection, claim.submission_id, items=1, create_timeout_s=20, allowance_s=1)


def test_the_last_bytes_are_not_let_go_when_the_time_is_over(service: Service) -> None:
    service.configure(timing={"create_timeout": "900ms"})
    packed(service)
    submit()
    assert (service.ledger.states("batch"), service.ledger.states("submission")) == (["packed"], ["void"])
    assert service.api.meter()["creates"] == 0


def test_an_alarm_that_was_set_before_still_rings_after_a_submit(service: Service) -> None:
    packed(service)
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)
    signal.setitimer(signal.ITIMER_REAL, 250)
    submit()
    left, _ = signal.setitimer(signal.ITIMER_REAL, *timer)
    assert signal.getsignal(signal.SIGALRM) is handler
    assert 200 < left <= 250


def test_no_more_is_sent_than_the_apis_queue_takes(unhurried: Service) -> None:
    unhurried.configure(lane={"max_items": 4}, workspaces={"default": {"queue_limit": 10}})
    unhurried.accept(*(item(f"k{n}") for n in range(12)))
    pack()
    submit()
    assert unhurried.ledger.states("batch") == ["open", "open", "packed"], "4 + 4 are in the queue of 10"
    unhurried.api.http.post("/sandbox/clock", json={"advance_s": 48 * 3600})
    poll()
    submit()
    assert unhurried.ledger.states("batch")[2] == "open"
    assert unhurried.api.calls("batches.create") == {"200": 3}, "the API was never asked for more"


def test_a_workspace_that_is_held_again_and_again_is_tried_less_and_less_often(service: Service) -> None:
    service.accept(item("a"))
    pack()
    service.api.fault("create", "status", status=402)
    for held_for_s, released in ((61, True), (61, False), (121, True), (121, False), (241, True)):
        submit()
        service.ledger.execute("UPDATE workspace SET held_at = now() - make_interval(secs => %s)", held_for_s)
        poll()
        assert (service.ledger.fetch_one("SELECT held_at FROM workspace")["held_at"] is None) is released
    service.api.faults_are_over()
    service.finish()
    assert service.ledger.fetch_one("SELECT holds FROM workspace")["holds"] == 0
    assert service.ledger.item("a")["attempts"] == 1, "no attempt is counted"


def test_batches_that_were_emptied_in_a_held_workspace_keep_no_other_from_being_sent(service: Service) -> None:
    service.configure(lanes={"other": {"workspace": "two", "max_wait": "0s"}}, workspaces={"two": {}})
    packed(service)
    service.ledger.execute(
        """
        INSERT INTO batch (lane_id, headers_id, state, items, size)
        SELECT lane_id, headers_id, 'packed', 1, size FROM batch, generate_series(1, 299)
        """
    )
    service.ledger.execute("UPDATE workspace SET held_at = now(), held_reason = 'no money'")
    with process.database().transaction() as connection:
        assert cancel(connection, service.ledger.item("a")["id"]) == Canceled.CANCELED
    service.accept(item("b"), lane="other")
    pack()
    service.ledger.execute("UPDATE workspace SET held_at = NULL, held_reason = NULL")
    assert submit() == "1 batches submitted"
    assert service.ledger.states("batch") == ["canceled"] * 300 + ["open"]
