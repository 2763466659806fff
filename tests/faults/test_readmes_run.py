"""What the READMEs show works, as it stands there: a newcomer's evening, and products in processes of their own."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import redis

from overnight_models.embedded_urls import read_urls
from overnight_models.routes import ACKS_KEY
from tests.contract.contract_schemas import errors
from tests.faults.installed import Installed
from tests.waiting import wait_until

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
NODE = ROOT / "tests" / "contract" / "node"
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no Node here: apt-get install nodejs")


def python(readme: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", readme.read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def overnight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    installed = Installed(tmp_path_factory.mktemp("readmes"), toml="", turnaround="1s")
    try:
        installed.start()
        yield installed
    finally:
        installed.close()


def environment(overnight: Installed) -> dict[str, str]:
    return overnight.environment | {"OVERNIGHT_REDIS_URL": read_urls(overnight.data_dir)["redis_url"]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Plain params, without keys: what somebody has who used the SDK so far."""
    path = tmp_path / "feedback.jsonl"
    with path.open("w") as out:
        for number in range(300):
            text = f"Feedback {number}: " + "the kettle is too loud. " * (1 + number % 40)
            asked = {"model": "claude-haiku-5-5", "max_tokens": 1500, "messages": [{"role": "user", "content": text}]}
            out.write(json.dumps(asked) + "\n")
    return path


def test_a_newcomers_evening_the_plan_the_pilot_the_file_and_the_bill_beside_the_plan(
    overnight: Installed, file: Path
) -> None:
    """The first test here: nothing was enqueued before, and nobody knows how long answers are."""
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


def test_the_product_of_the_first_page(overnight: Installed, tmp_path: Path) -> None:
    (shop,) = python(ROOT / "README.md")
    (tmp_path / "shop.py").write_text(shop)
    env = environment(overnight) | {"PYTHONUNBUFFERED": "1"}
    product = overnight.data_dir / "product.env"
    assert f"for your product: . {product}" in overnight.output.read_text()
    assert product.read_text() == f"export OVERNIGHT_REDIS_URL={shlex.quote(env['OVERNIGHT_REDIS_URL'])}\n"
    assert product.stat().st_mode & 0o777 == 0o600
    call = "import shop; shop.describe('A1', 'A red kettle.')"
    subprocess.run([sys.executable, "-W", "error", "-c", call], check=True, cwd=tmp_path, env=env, timeout=60)
    log = tmp_path / "worker.log"
    worker = [sys.executable, "-m", "celery", "-A", "shop", "worker", "-Q", "shop.copy", "-P", "solo"]
    with log.open("wb") as out, subprocess.Popen(worker, cwd=tmp_path, env=env, stdout=out, stderr=out) as process:
        try:
            wait_until(lambda: re.search(r"A1: Made-up .* \(\$0\.0000", log.read_text()), what=log.read_text)
            assert "deprecated" not in log.read_text()
        finally:
            process.terminate()


def test_the_producers_page(overnight: Installed, tmp_path: Path) -> None:
    blocks = python(ROOT / "producers" / "README.md")
    code = "\n".join(blocks).replace("range(10_000)", "range(1_000)")
    code += "\nassert done.accepted + done.known == 1_000 and not done.rejected\nassert outcome.text\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=environment(overnight), timeout=120, check=False
    )
    assert done.returncode == 0


@needs_node
def test_a_service_in_node_enqueues_takes_its_callbacks_and_acknowledges_from_the_schemas_alone(
    overnight: Installed,
) -> None:
    env = environment(overnight)
    words = ["node", str(NODE / "shop.mjs"), "callbacks", "A1", "B2"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    first, *callbacks = map(json.loads, done.stdout.splitlines())
    assert first["verdict"] == {"accepted": 2, "known": 0, "rejected": []}
    assert {line["sku"] for line in callbacks} == {"A1", "B2"}
    for line in callbacks:
        assert line["task"] == "shop.save"
        assert errors("outcome", line["outcome"]) == []
        assert line["outcome"]["ok"]
    assert {line["outcome"]["item_id"] for line in callbacks} == set(first["receipts"])
    awaited = "SELECT count(*) FROM every_delivery WHERE state <> 'delivered'"
    with redis.Redis.from_url(env["OVERNIGHT_REDIS_URL"]) as client:
        wait_until(lambda: overnight.number(awaited) == 0, what=lambda: client.lrange(ACKS_KEY, 0, -1))
