"""compose.yaml, the Dockerfile and .env.example, read and not run: what must hold whatever is changed in them."""

from __future__ import annotations

import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from overnight_models import routes
from overnight_workers.app import app
from overnight_workers.one_machine.embedded.postgres import MAX_LOCKS
from overnight_workers.one_machine.installation import WORKERS
from overnight_workers.operators import alert_rules, dashboard

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "compose.yaml").read_text()
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
CELERY = {name: service["command"] for name, service in SERVICES.items() if service.get("command", [""])[0] == "celery"}
VARIABLES = re.findall(r"\$\{(\w+)(:[-?])?([^}]*)\}", TEXT)


def option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def bytes_of(size: str) -> int:
    return int(size[:-1]) * {"m": 1 << 20, "g": 1 << 30}[size[-1]]


def queues(service: str) -> list[str]:
    return option(CELERY[service], "-Q").split(",")


def test_every_queue_is_read_by_exactly_one_kind_of_worker() -> None:
    read = [queue for name, command in CELERY.items() if "worker" in command for queue in queues(name)]
    assert sorted(read) == sorted(routes.QUEUES)


@pytest.mark.parametrize("name", WORKERS)
def test_workers_are_those_of_an_installation(name: str) -> None:
    assert tuple(queues(name)) == WORKERS[name].queues
    assert option(CELERY[name], "-n") == f"{name}@%h"
    asked = [word for queue in WORKERS[name].queues for word in ("--queue", queue)]
    assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "overnight", "health", *asked]


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_told_to_stop_has_time_to_hand_its_work_back(name: str) -> None:
    ends_first = WORKERS[name].ends_first
    assert SERVICES[name]["environment"]["REMAP_SIGTERM"] == ("" if ends_first else "SIGQUIT")
    grace_s = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    assert grace_s >= (300 if ends_first else app.conf.worker_soft_shutdown_timeout + 10)


def test_postgres_has_as_much_room_for_locks_as_the_embedded_one() -> None:
    """A claim locks every partition and its indexes: python -m tests.benchmarks.many_partitions."""
    assert SERVICES["postgres"]["command"] == ["postgres", "-c", f"max_locks_per_transaction={MAX_LOCKS}"]


def test_only_what_people_look_at_and_links_are_published_and_only_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert list(published) == ["links", "flower", "grafana"]
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert not any("network_mode" in service or service.get("privileged") for service in SERVICES.values())


def test_nothing_secret_has_a_default_and_each_says_what_to_set() -> None:
    secret = [(name, sign, rest) for name, sign, rest in VARIABLES if re.search("PASSWORD|KEY|SECRET|TOKEN", name)]
    assert {name for name, _, _ in secret} == {
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
        "FLOWER_PASSWORD",
        "ANTHROPIC_API_KEY",
    }
    for name, sign, rest in secret:
        assert (sign, rest) == (":?", f"set {name} in .env")


def test_every_secret_in_a_service_comes_from_outside() -> None:
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|KEY|AUTH|URL", name):
                assert "${" in value


def test_only_the_stages_that_speak_to_the_api_have_its_key() -> None:
    having = {name for name, service in SERVICES.items() if "ANTHROPIC_API_KEY" in service.get("environment", {})}
    assert having == {"batches", "submit", "results", "direct"}


def test_everything_comes_back_by_itself_and_waits_for_nobody() -> None:
    for name, service in SERVICES.items():
        assert service["restart"] == ("on-failure" if name == "migrate" else "unless-stopped")
        # a service that waits by itself does so after a power cut too; podman also refuses to restart dependents
        assert "depends_on" not in service
        # a relay shows itself in the ledger
        assert name in ("migrate", "relay") or "healthcheck" in service


def test_no_service_fills_the_disk_with_its_log_or_takes_all_memory() -> None:
    for service in SERVICES.values():
        assert service["logging"] == {"driver": "json-file", "options": {"max-size": "20m", "max-file": "5"}}
        assert bytes_of(service["mem_limit"]) >= bytes_of("512m")
        assert service["pids_limit"] >= 64


def test_a_full_redis_refuses_before_it_is_killed_for_its_memory() -> None:
    max_memory = option(SERVICES["redis"]["command"], "--maxmemory").removesuffix("b")
    assert bytes_of(max_memory) <= bytes_of(SERVICES["redis"]["mem_limit"]) / 2


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_room_for_its_children(name: str) -> None:
    children = int(option(CELERY[name], "-c")) * app.conf.worker_max_memory_per_child * 1024
    assert bytes_of(SERVICES[name]["mem_limit"]) > children


def test_what_not_everybody_needs_starts_only_when_asked_for() -> None:
    asked_for = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert asked_for == {
        "relay": ["relay"],
        "links": ["links"],
        "sandbox": ["sandbox"],
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
    }


def test_prometheus_and_grafana_have_the_shipped_rules_and_dashboard_and_read_flower(tmp_path: Path) -> None:
    mounted = {
        inside: ROOT / outside
        for name in ("prometheus", "grafana")
        for outside, inside, *_ in (volume.split(":") for volume in SERVICES[name]["volumes"])
        if outside.startswith("./")
    }
    assert mounted["/etc/prometheus/alerts.yaml"] == alert_rules.FILE
    assert mounted["/etc/overnight/dashboards/overnight.json"] == dashboard.FILE
    assert all(path.is_file() for path in mounted.values())
    scraped = yaml.safe_load(mounted["/etc/prometheus/prometheus.yml"].read_text())
    assert scraped["scrape_configs"][0]["static_configs"] == [{"targets": ["flower:5555"]}]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home in mounted
    (provider,) = yaml.safe_load(mounted["/etc/grafana/provisioning/dashboards/overnight.yaml"].read_text())[
        "providers"
    ]
    assert provider["options"]["path"] == str(Path(home).parent)
    promtool = shutil.which("promtool")
    if promtool is not None:
        read_here = mounted["/etc/prometheus/prometheus.yml"].read_text()
        (tmp_path / "prometheus.yml").write_text(
            read_here.replace("/etc/prometheus/alerts.yaml", str(alert_rules.FILE))
        )
        subprocess.run([promtool, "check", "config", tmp_path / "prometheus.yml"], check=True)


def test_one_service_builds_the_image_that_the_others_run() -> None:
    ours = {name for name, service in SERVICES.items() if service["image"] == "overnight"}
    assert ours == {*CELERY, "migrate", "relay", "links", "sandbox"}
    assert [name for name, service in SERVICES.items() if "build" in service] == ["migrate"]


def test_the_example_names_every_variable() -> None:
    example = (ROOT / ".env.example").read_text()
    undocumented = {name for name, _, _ in VARIABLES if not re.search(rf"^#? *{name}=", example, re.MULTILINE)}
    assert not undocumented
    # secrets are left empty
    assert all(line.endswith("=") for line in example.splitlines() if line and not line.startswith("#"))


def test_the_image_takes_the_lock_no_tests_and_no_root() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert len(re.findall(r"^RUN uv sync --frozen --no-dev .*", dockerfile, re.MULTILINE)) == 2
    extras = re.findall(r"--extra (\w+)", dockerfile)
    # whatever is a service of compose.yaml, or a setting of it: not the servers of `up`, nor plots
    assert extras == ["workers", "flower", "sandbox", "links", "catalogs", "encryption"] * 2
    assert dockerfile.index("\nUSER overnight") < dockerfile.index("\nSTOPSIGNAL SIGTERM")
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE)
    for source in " ".join(copied).split():
        assert (ROOT / source).exists()
        assert any(fnmatch(source, pattern) for pattern in allowed)
