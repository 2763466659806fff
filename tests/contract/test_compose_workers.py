"""compose.workers.yaml: on a host of their own the workers are those of compose.yaml, and the servers are elsewhere."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from overnight_workers.one_machine.installation import WORKERS
from tests.contract.test_compose import ROOT, SERVICES

TEXT = (ROOT / "compose.workers.yaml").read_text()
HERE: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
ELSEWHERE = {
    "OVERNIGHT_DATABASE_URL": "${OVERNIGHT_DATABASE_URL:?set OVERNIGHT_DATABASE_URL in .env}",
    "OVERNIGHT_REDIS_URL": "${OVERNIGHT_REDIS_URL:?set OVERNIGHT_REDIS_URL in .env}",
    "OVERNIGHT_REDIS_CA": "${OVERNIGHT_REDIS_CA:-}",
    "OVERNIGHT_REDIS_MASTER": "${OVERNIGHT_REDIS_MASTER:-}",
    "OVERNIGHT_PRESENCE_URL": "${OVERNIGHT_PRESENCE_URL:-}",
}
ONLY_HERE = {"build", "profiles"}


def test_no_server_is_among_them() -> None:
    assert set(HERE) == {*WORKERS, "beat", "flower"}
    assert "postgres:5432" not in TEXT
    assert "redis:6379" not in TEXT


@pytest.mark.parametrize("name", HERE)
def test_a_service_differs_from_the_one_of_a_single_host_in_where_its_servers_are(name: str) -> None:
    there, here = SERVICES[name], HERE[name]
    assert here["environment"] == there["environment"] | ELSEWHERE
    changed = {key for key in {*there, *here} if there.get(key) != here.get(key)}
    assert changed - ONLY_HERE == {"environment"}


def test_one_service_builds_the_image_that_the_others_run() -> None:
    assert [name for name, service in HERE.items() if "build" in service] == ["intake"]
    assert {service["image"] for service in HERE.values()} == {"overnight"}


def test_the_example_names_every_variable() -> None:
    example = (ROOT / ".env.example").read_text()
    names = set(re.findall(r"\$\{(\w+)", TEXT))
    assert {name for name in names if not re.search(rf"^#? *{name}=", example, re.MULTILINE)} == set()
