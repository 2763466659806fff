"""`overnight status` the short way: what the command line prints, for a third of its time."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from overnight_workers import limiter
from overnight_workers.cli import app
from overnight_workers.limiter import Need
from overnight_workers.operators import status_page
from tests.driving import Service, item
from tests.stages.operators.test_checkup import COUNTED, DEAR, MAIN


@pytest.fixture
def busy(service: Service) -> Service:
    """Outcomes, a failure, what waits, a rate limit that was used, and a paused lane with % in its reason."""
    service.accept(item("a"), item("b", fault="errored:invalid_request_error"))
    service.finish()
    service.accept(item("c"))
    limiter.acquire("default", "claude-haiku-5-5", [Need(1000, 100)])
    service.ledger.execute("UPDATE lane SET paused_at = now() - interval '3 days', paused_reason = '100%% full: 停'")
    service.ledger.execute("UPDATE item SET waiting_since = now() - interval '2 hours' WHERE waiting_since IS NOT NULL")
    return service


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """By the short way."""
    assert status_page.main(list(words)) == 0
    return capsys.readouterr().out


def test_the_short_way_prints_the_page_of_the_command_line(busy: Service, capsys: pytest.CaptureFixture[str]) -> None:
    quick = printed(capsys)
    assert "default (paused: 100% full: 停)" in quick
    whole = CliRunner().invoke(app, ["status"]).output
    assert [line.rstrip() for line in quick.splitlines()] == [line.rstrip() for line in whole.splitlines()]


def test_the_short_way_prints_the_json_of_the_command_line(busy: Service, capsys: pytest.CaptureFixture[str]) -> None:
    def read(text: str) -> dict[str, object]:
        document: dict[str, object] = json.loads(text)
        assert document["limits"], "the limit that was used"
        return {name: value for name, value in document.items() if name not in ("limits", "oldest_waiting_s", "lanes")}

    assert read(printed(capsys, "--json")) == read(CliRunner().invoke(app, ["status", "--json"]).stdout)


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_the_status_in_a_pipe_imports_nothing_dear(service: Service, words: list[str]) -> None:
    argv = [sys.executable, "-c", COUNTED + MAIN, "status", *words]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(json.loads(done.stderr)) & (DEAR | {"opentelemetry", "cryptography"}) == set()


@pytest.mark.parametrize("words", [["--watch"], ["--help"], ["--jsn"]])
def test_words_that_the_short_way_does_not_know_are_for_the_command_line(words: list[str]) -> None:
    assert status_page.main(words) is None


def test_a_ledger_that_can_not_be_read_is_for_the_command_line_to_explain(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.ledger.execute("ALTER TABLE pulse RENAME TO pulse_away")
    try:
        assert status_page.main([]) is None
    finally:
        service.ledger.execute("ALTER TABLE pulse_away RENAME TO pulse")
