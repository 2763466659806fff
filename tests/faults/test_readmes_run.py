"""What the READMEs show a product works, as it stands there, in processes of the product's own."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
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


def test_the_product_of_the_first_page(overnight: Installed, tmp_path: Path) -> None:
    (shop,) = python(ROOT / "README.md")
    (tmp_path / "shop.py").write_text(shop)
    env = environment(overnight) | {"PYTHONUNBUFFERED": "1"}
    product = overnight.data_dir / "product.env"
    assert f"for your product: . {product}" in overnight.told.read_text()
    assert product.read_text() == f"export OVERNIGHT_REDIS_URL={shlex.quote(env['OVERNIGHT_REDIS_URL'])}\n"
    assert product.stat().st_mode & 0o777 == 0o600
    call = "import shop; shop.describe('A1', 'A red kettle.')"
    subprocess.run([sys.executable, "-c", call], check=True, cwd=tmp_path, env=env, timeout=60)
    log = tmp_path / "worker.log"
    worker = [sys.executable, "-m", "celery", "-A", "shop", "worker", "-Q", "shop.copy", "-P", "solo"]
    with log.open("wb") as out, subprocess.Popen(worker, cwd=tmp_path, env=env, stdout=out, stderr=out) as process:
        try:
            wait_until(lambda: re.search(r"A1: Made-up .* \(\$0\.0000", log.read_text()), what=log.read_text)
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
    first, *told = map(json.loads, done.stdout.splitlines())
    assert first["verdict"] == {"accepted": 2, "known": 0, "rejected": []}
    assert {line["sku"] for line in told} == {"A1", "B2"}
    for line in told:
        assert line["task"] == "shop.save"
        assert errors("outcome", line["outcome"]) == []
        assert line["outcome"]["ok"]
    assert {line["outcome"]["item_id"] for line in told} == set(first["receipts"])
    awaited = "SELECT count(*) FROM every_delivery WHERE state <> 'delivered'"
    with redis.Redis.from_url(env["OVERNIGHT_REDIS_URL"]) as client:
        wait_until(lambda: overnight.number(awaited) == 0, what=lambda: client.lrange(ACKS_KEY, 0, -1))
