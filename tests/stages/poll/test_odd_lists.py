"""Lists that can't be read, or lie: what of them can be read counts, nothing is lost by them, and others don't wait."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from overnight_models.ledger import workspaces
from overnight_workers import process
from overnight_workers.anthropic_api import api
from overnight_workers.operators.snapshot import take_snapshot
from overnight_workers.settings import settings
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.submit.submit import submit
from tests.driving import Service, item
from tests.stages.poll.test_poll import unclear

ODD: dict[str, dict[str, Any]] = {
    "null_row": {}, "no_created_at": {}, "no_has_more": {}, "odd_date": {},
    "odd_date: a form of tomorrow": {"message": "5 Frimaire CCXXXV"},
}  # fmt: skip


def unread(service: Service) -> str | None:
    """What the ledger says of the list that can't be read."""
    why: str | None = service.ledger.fetch_one("SELECT unread_why FROM workspace WHERE name = 'default'")["unread_why"]
    return why


@pytest.mark.parametrize("odd", ODD)
def test_what_an_odd_list_shows_counts(service: Service, odd: str) -> None:
    service.accept(item("a"))
    pack()
    submit()
    service.api.fault("list", odd.partition(":")[0], **ODD[odd])
    assert poll() == "1 ended"
    assert unread(service) is not None
    service.api.faults_are_over()
    service.accept(item("b"))
    service.finish()
    assert service.ledger.states("item") == ["succeeded"] * 2
    assert unread(service) is None


@pytest.mark.parametrize("odd", ODD)
def test_nothing_is_lost_by_an_odd_list(service: Service, odd: str) -> None:
    unclear(service, created=False)
    service.clock.quiet_is_over()
    service.api.stranger(2)
    service.api.fault("list", odd.partition(":")[0], **ODD[odd])
    for _ in range(2):
        poll()
    assert service.ledger.states("submission") == ["unclear"]
    reason = service.ledger.fetch_one("SELECT reason FROM batch")["reason"]
    assert reason.startswith("the list proves nothing: ")
    service.api.faults_are_over()
    poll()
    assert service.ledger.states("submission") == ["lost"]


def test_a_date_with_another_form_is_read(service: Service) -> None:
    unclear(service, created=False)
    service.clock.quiet_is_over()
    service.api.fault("list", "odd_date", message="2099-01-01T00:00:00")
    poll()
    assert "Date" not in (unread(service) or "")


def test_nested_counts_keep_no_batch_from_being_collected(service: Service) -> None:
    service.api.fault("list", "nested_counts")
    service.accept(item("a"))
    service.finish()
    assert service.ledger.item("a")["state"] == "succeeded"


def test_one_whose_row_does_not_say_when_it_was_created_is_found_by_its_token(service: Service) -> None:
    unclear(service, created=True)
    service.api.fault("list", "no_created_at")
    service.clock.quiet_is_over()
    poll()
    assert service.ledger.states("submission") == ["open"]
    service.finish()
    assert service.api.meter()["creates"] == 1


def test_a_list_that_repeats_its_page_is_left_and_proves_nothing(service: Service, monkeypatch: Any) -> None:
    monkeypatch.setattr(api, "_PAGE", 2)
    monkeypatch.setattr(api.list_batches, "__kwdefaults__", {"after_id": None, "limit": 2})
    unclear(service, created=False)
    for _ in range(4):
        service.api.stranger(2)
    service.clock.quiet_is_over()
    service.api.fault("list", "repeat_page")
    before = sum(service.api.calls("batches.list").values())
    poll()
    assert sum(service.api.calls("batches.list").values()) - before == 2
    assert service.ledger.states("submission") == ["unclear"]
    assert "repeats its page" in (unread(service) or "")


@pytest.fixture
def hanging() -> Any:
    """An API that takes connections and says nothing; its URL, and the calls that it got."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            stop.wait(60)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_words: Any) -> None:
            return

    calls: list[str] = []
    stop = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", calls
    stop.set()
    server.shutdown()
    server.server_close()


def test_a_workspace_whose_api_hangs_costs_the_others_one_short_look(
    service: Service, hanging: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, calls = hanging
    monkeypatch.setattr(api, "_ANSWER_S", 0.5)
    lanes = {"other": {"workspace": "a-first", "max_wait": "0s"}}
    service.configure(lanes=lanes, workspaces={"a-first": {}})
    service.accept(item("a"), lane="other")
    service.accept(item("b"))
    pack()
    submit()
    service.configure(lanes=lanes, workspaces={"a-first": {"base_url": url}})
    assert poll() == "1 ended"
    with process.database().transaction() as connection:
        (first, _) = workspaces.workspaces(connection)
    assert first.unread_for_s is not None
    assert 4 < first.look_in_s <= 10, "ten times as long as its look took"
    before = len(calls)
    poll()
    assert len(calls) == before, "nobody waits for it again"


def test_it_is_an_alarm_after_two_minutes(service: Service) -> None:
    unclear(service, created=False)
    service.api.fault("list", "null_row")
    poll()
    assert "list unread" not in kinds()
    service.ledger.execute("UPDATE workspace SET unread_since = now() - interval '121 s'")
    poll()
    assert "list unread" in kinds()
    service.api.faults_are_over()
    poll()
    assert "list unread" not in kinds()


def kinds() -> set[str]:
    return {alarm.kind for alarm in take_snapshot(process.database()).alarms(settings())}
