"""A newcomer's evening: `overnight up` without a key, a plan, a pilot, the file, and the bill beside the plan."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.faults.installed import Installed

pytestmark = pytest.mark.whole


@pytest.fixture(scope="module")
def overnight() -> Iterator[Installed]:
    # not below pytest's own directory, which another pytest that starts makes private: see tests/conftest.py
    place = Path(tempfile.mkdtemp(prefix="overnight-plan-"))
    place.chmod(0o755)
    installed = Installed(place, turnaround="1s")
    try:
        installed.start()
        yield installed
    finally:
        installed.close()
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Plain params, without keys: what somebody has who used the SDK so far."""
    path = tmp_path_factory.mktemp("file") / "feedback.jsonl"
    with path.open("w") as out:
        for number in range(300):
            text = f"Feedback {number}: " + "the kettle is too loud. " * (1 + number % 40)
            asked = {"model": "claude-haiku-5-5", "max_tokens": 1500, "messages": [{"role": "user", "content": text}]}
            out.write(json.dumps(asked) + "\n")
    return path


def test_the_plan_the_pilot_and_the_bill(overnight: Installed, file: Path) -> None:
    # the sandbox has a key that only the workers know; the plan finds it by the data directory
    shown = overnight.command("plan", str(file), "--by", "8h")
    assert "feedback.jsonl: 300 items for lane default" in shown
    assert "assumed: 25% of max_tokens" in " ".join(shown.split())
    assert overnight.number("SELECT count(*) FROM item") == 0

    plan = json.loads(
        overnight.command("plan", str(file), "--pilot", "40", "--pilot-wait", "90s", "--run", "evening", "--json")
    )
    pilot = plan["counting"]["pilot"]
    assert (pilot["items"], pilot["billed"], plan["items"]) == (40, 40, 300)
    assert plan["expected"]["tokens_out"]["how"] == "measured"
    assert overnight.number("SELECT count(*) FROM item") == 40
    billed = overnight.number("SELECT sum(cost_nano) FROM bill")
    assert float(pilot["cost_usd"]) == pytest.approx(billed / 1e9)
    left, whole = (float(plan["expected"][name]["usd"]) for name in ("left_to_pay", "cost"))
    assert left == pytest.approx(whole - billed / 1e9)

    verdict = json.loads(overnight.command("enqueue", str(file), "--run", "evening", "--wait", "--json"))
    # the pilot's items are done: they are known, and free
    assert (verdict["accepted"], verdict["known"], verdict["items"]) == (260, 40, {"succeeded": 300})
    assert verdict["traps"] == []

    compared = json.loads(overnight.command("plan", "--compare", "evening", "--json"))
    assert compared["billed"]["items"] == 300
    assert compared["missing"] == compared["unfinished"] == 0
    for part in ("tokens_in", "tokens_out"):
        estimate = compared["estimates"][part]
        assert estimate["value"] == pytest.approx(compared["billed"][part], rel=0.15)
        assert estimate["low"] <= compared["billed"][part] <= estimate["high"], part
    bill, cost = Decimal(compared["billed"]["cost_usd"]), compared["estimates"]["cost"]
    assert float(cost["usd"]) == pytest.approx(float(bill), rel=0.15)
    assert Decimal(cost["low_usd"]) <= bill <= Decimal(cost["high_usd"])

    again = overnight.command("plan", str(file))
    assert "300 more are in the lane already: they cost nothing again" in again
    assert "enqueuing it again is free" in again
    assert "of this lane was off by" in again
