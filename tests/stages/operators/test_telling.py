"""`[alarms] command`: who is told that an alarm began or is over, and how often."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import redis

from overnight_models import routes
from overnight_producers import verify
from overnight_workers import process
from overnight_workers.operators import telling
from overnight_workers.operators.watch import watch
from overnight_workers.stages import pulse
from tests.driving import Service
from tests.endpoints import SECRET, Reply, listening
from tests.planted import found_in, secret

_PROGRAM = """
import pathlib, sys
place = pathlib.Path(sys.argv[1])
with (place / "told.jsonl").open("ab") as told:
    told.write(sys.stdin.buffer.read() + b"\\n")
sys.exit("the pager is away" if (place / "away").exists() else 0)
"""


@pytest.fixture
def place(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service whose alarms are told to a program that keeps what it read in this directory."""
    (tmp_path / "page.py").write_text(_PROGRAM)
    command = [sys.executable, str(tmp_path / "page.py"), str(tmp_path)]
    monkeypatch.setenv("OVERNIGHT_ALARMS", json.dumps({"command": command}))
    look(service)
    told(tmp_path)
    return tmp_path


def look(service: Service) -> None:
    """A worker's next look."""
    service.restart()
    watch()


def told(place: Path) -> list[tuple[list[str], list[str]]]:
    """What began and what was over, as the program was told since the last time."""
    file = place / "told.jsonl"
    documents = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    file.unlink(missing_ok=True)
    return [(document["began"], document["over"]) for document in documents]


def pause(service: Service, *lanes: str) -> None:
    """An alarm for each."""
    for lane in lanes:
        service.ledger.execute(
            f"INSERT INTO lane (name, paused_at, paused_reason) VALUES ('{lane}', now() - interval '3 d', 'why')"
        )


def test_an_alarm_is_told_once_when_it_begins_and_once_when_it_is_over(service: Service, place: Path) -> None:
    pause(service, "quiet")
    look(service)
    look(service)
    assert told(place) == [(["lane paused"], [])]
    pause(service, "another")
    look(service)
    assert told(place) == [(["lane paused"], [])], "another of the kind"
    service.ledger.execute("UPDATE lane SET paused_at = NULL, paused_reason = NULL")
    look(service)
    look(service)
    assert told(place) == [([], ["lane paused"])]


def test_nobody_is_told_what_an_error_quoted(service: Service, place: Path) -> None:
    pulse.failed(routes.PACK, ValueError("messages.0: 'pl4nt3d words' are no number"), about="lane a")
    look(service)
    (line,) = (place / "told.jsonl").read_text().splitlines()
    (text,) = [alarm["text"] for alarm in json.loads(line)["alarms"] if alarm["alarm"] == "stage failing"]
    assert text.endswith("last: lane a: ValueError: messages.0: … are no number")
    with redis.Redis.from_url(service.redis_url) as client:
        assert b"pl4nt3d words" in client.get(routes.WATCH_KEY), "whoever runs a command sees it whole"


def test_a_command_that_fails_is_run_again_at_the_next_look(
    service: Service, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "away").touch()
    pause(service, "quiet")
    look(service)
    look(service)
    assert told(place) == [(["lane paused"], [])] * 2
    assert "the pager is away" in capsys.readouterr().err
    (place / "away").unlink()
    look(service)
    look(service)
    assert told(place) == [(["lane paused"], [])]


def test_while_one_worker_tells_no_other_does(service: Service, place: Path) -> None:
    process.redis_client().set(routes.TELLING_KEY, "1", ex=40)
    pause(service, "quiet")
    look(service)
    assert told(place) == []
    process.redis_client().delete(routes.TELLING_KEY)
    look(service)
    assert told(place) == [(["lane paused"], [])]


def test_a_command_that_is_not_there_is_in_the_log_and_harms_nothing(
    service: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERNIGHT_ALARMS", json.dumps({"command": ["/nowhere/page"]}))
    pause(service, "quiet")
    look(service)
    assert "alarms not told" in capsys.readouterr().err
    assert process.redis_client().get(routes.WATCH_KEY) is not None


@pytest.mark.parametrize(
    "script",
    ["exec sleep 60", 'echo "Max retries exceeded with url: /services/$1" >&2; exit 3'],
    ids=["hangs", "fails"],
)
def test_the_log_shows_nothing_of_a_command_s_arguments(
    service: Service, script: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["sh", "-c", script, "page", secret("pager")]
    monkeypatch.setenv("OVERNIGHT_ALARMS", json.dumps({"command": command}))
    monkeypatch.setattr(telling, "_WITHIN_S", 2.0)  # of real time, and nobody waits for twenty
    pause(service, "quiet")
    look(service)
    said = capsys.readouterr().err
    assert "alarms not told" in said
    assert found_in(said) == set()


def test_an_alarm_is_told_to_a_webhook_until_it_is_taken(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERNIGHT_SHOP_SECRET", SECRET)
    with listening() as endpoint:
        service.configure(webhooks={"pager": endpoint.settings()})
        monkeypatch.setenv("OVERNIGHT_ALARMS", json.dumps({"webhook": "pager"}))
        look(service)
        endpoint.came.clear()
        pause(service, "quiet")
        endpoint.replies.append(Reply(500))
        for _ in range(3):
            look(service)
    refused, taken = endpoint.came
    assert refused.outcomes == taken.outcomes
    body = verify(taken.headers, taken.body, SECRET)
    assert body["type"] == "overnight.alarm"
    (document,) = body["data"]
    assert (document["began"], document["over"]) == (["lane paused"], [])
