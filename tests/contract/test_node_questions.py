"""A service in Node asks the workers by the published schemas alone: was it accepted, and what came back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.contract.contract_schemas import errors
from tests.driving import Service, item
from tests.stages.product.conftest import answering, taking_in

SHOP = Path(__file__).parent / "node" / "shop.mjs"
pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="no Node here: apt-get install nodejs")


def said(service: Service, *words: str) -> list[dict[str, Any]]:
    """What the service prints, while questions are answered and messages accepted here."""
    env = os.environ | {"OVERNIGHT_REDIS_URL": service.redis_url}
    with answering(service.redis_url), taking_in(service):
        done = subprocess.run(["node", str(SHOP), *words], env=env, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_it_knows_when_its_items_cant_be_lost_and_which_were_turned_down(service: Service) -> None:
    service.accept(item("node:A1", "another"))
    (line,) = said(service, "confirmed", "A1", "B2")
    verdict = line["verdict"]
    assert (verdict["accepted"], [fault["key"] for fault in verdict["rejected"]]) == (1, ["node:A1"])
    assert verdict["rejected"][0]["id"] == line["receipts"][0]


def test_it_reads_an_outcome_by_its_key(service: Service) -> None:
    service.accept(item("node:A1"))
    assert said(service, "outcomes", "node:A1") == [{"key": "node:A1", "outcome": None}]
    service.finish()
    (line,) = said(service, "outcomes", "node:A1")
    assert errors("outcome", line["outcome"]) == []
    assert line["outcome"]["message"]["content"]
