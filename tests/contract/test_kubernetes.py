"""deploy/kubernetes: the manifests, read and not applied; their probes' commands are run as a kubelet would."""

from __future__ import annotations

import base64
import inspect
import os
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from typer.testing import CliRunner

from overnight_models import routes
from overnight_workers.app import app as celery_app
from overnight_workers.cli import app
from overnight_workers.cli.links import links
from overnight_workers.one_machine.installation import WORKERS
from tests.contract.test_compose import ROOT, SERVICES
from tests.ports import free_port
from tests.waiting import wait_until

PLACE = ROOT / "deploy" / "kubernetes"
KINDS = [manifest for file in sorted(PLACE.glob("*.yaml")) for manifest in yaml.safe_load_all(file.read_text())]
DEPLOYMENTS = {
    manifest["metadata"]["labels"]["part"]: manifest for manifest in KINDS if manifest["kind"] == "Deployment"
}
(JOB,) = [manifest for manifest in KINDS if manifest["kind"] == "Job"]
(CONFIG,) = [manifest for manifest in KINDS if manifest["kind"] == "ConfigMap"]
PODS: dict[str, dict[str, Any]] = {
    name: manifest["spec"]["template"]["spec"] for name, manifest in {**DEPLOYMENTS, "migrate": JOB}.items()
}
CONTAINERS: dict[str, dict[str, Any]] = {name: pod["containers"][0] for name, pod in PODS.items()}
SECRETS = {"database-url", "redis-url", "anthropic-api-key", "flower-login", "links-database-url", "link-secret"}
UNITS = {"Mi": 1 << 20, "Gi": 1 << 30}
ALIVE_UNLESS_ONE = "; [ $? -ne 1 ]"


def bytes_of(size: str) -> int:
    return int(size[:-2]) * UNITS[size[-2:]]


def environment(name: str) -> dict[str, Any]:
    return {manifest["name"]: manifest.get("value", manifest.get("valueFrom")) for manifest in CONTAINERS[name]["env"]}


def test_everything_of_a_single_host_is_there_but_the_servers() -> None:
    assert set(DEPLOYMENTS) == {*WORKERS, "beat", "flower", "links"}
    for name in DEPLOYMENTS:
        assert CONTAINERS[name]["command"] == SERVICES[name]["command"]
    assert CONTAINERS["migrate"]["command"] == SERVICES["migrate"]["command"]


def test_every_queue_is_read() -> None:
    commands = [CONTAINERS[name]["command"] for name in WORKERS]
    read = [queue for words in commands for queue in words[words.index("-Q") + 1].split(",")]
    assert sorted(read) == sorted(routes.QUEUES)


@pytest.mark.parametrize("name", PODS)
def test_nobody_is_root_or_writes_outside_of_tmp_or_speaks_to_the_cluster(name: str) -> None:
    pod, container = PODS[name], CONTAINERS[name]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"useradd --uid {pod['securityContext']['runAsUser']} " in (ROOT / "Dockerfile").read_text()
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (pod["enableServiceLinks"], pod["automountServiceAccountToken"]) == (False, False)
    mounts = {manifest["mountPath"]: manifest for manifest in container["volumeMounts"]}
    volumes = {manifest["name"]: manifest for manifest in pod["volumes"]}
    assert set(mounts) == {"/tmp", "/etc/overnight"}
    assert "emptyDir" in volumes[mounts["/tmp"]["name"]]
    assert mounts["/etc/overnight"]["readOnly"]
    assert (environment(name)["TMPDIR"], environment(name)["HOME"]) == ("/tmp", "/tmp")


@pytest.mark.parametrize("name", PODS)
def test_secrets_are_referred_to_and_only_who_speaks_to_the_api_has_its_key(name: str) -> None:
    has_key = "ANTHROPIC_API_KEY" in SERVICES[name].get("environment", {})
    assert ("ANTHROPIC_API_KEY" in environment(name)) == has_key
    for variable, value in environment(name).items():
        if variable.endswith(("_URL", "_KEY", "_AUTH", "_SECRET")):
            assert value["secretKeyRef"]["name"] == "overnight"
            assert value["secretKeyRef"]["key"] in SECRETS


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_told_to_stop_has_time_and_room_for_its_children(name: str) -> None:
    ends_first = WORKERS[name].ends_first
    assert environment(name)["REMAP_SIGTERM"] == ("" if ends_first else "SIGQUIT")
    grace_s = PODS[name]["terminationGracePeriodSeconds"]
    assert grace_s >= (300 if ends_first else celery_app.conf.worker_soft_shutdown_timeout + 10)
    words = CONTAINERS[name]["command"]
    children = int(words[words.index("-c") + 1]) * celery_app.conf.worker_max_memory_per_child * 1024
    assert bytes_of(CONTAINERS[name]["resources"]["limits"]["memory"]) > children


@pytest.mark.parametrize("name", WORKERS)
def test_probes_ask_for_all_queues_and_only_liveness_passes_over_a_redis_that_is_away(name: str) -> None:
    asked = ["overnight", "health", *(word for queue in WORKERS[name].queues for word in ("--queue", queue))]
    container = CONTAINERS[name]
    assert container["startupProbe"]["exec"]["command"] == asked
    assert container["readinessProbe"]["exec"]["command"] == asked
    shell, option, script = container["livenessProbe"]["exec"]["command"]
    assert (shell, option, script) == ("sh", "-c", shlex.join(asked) + ALIVE_UNLESS_ONE)


def test_there_is_one_beat_and_two_are_never_started_side_by_side() -> None:
    for name in ("beat", "flower"):
        assert DEPLOYMENTS[name]["spec"]["replicas"] == 1
        assert DEPLOYMENTS[name]["spec"]["strategy"] == {"type": "Recreate"}


def test_selectors_are_the_labels_of_their_pods() -> None:
    for manifest in DEPLOYMENTS.values():
        assert manifest["spec"]["selector"]["matchLabels"] == manifest["spec"]["template"]["metadata"]["labels"]
    services = {
        manifest["metadata"]["labels"]["part"]: manifest["spec"] for manifest in KINDS if manifest["kind"] == "Service"
    }
    assert set(services) == {"flower", "links"}
    for name, service in services.items():
        assert service["type"] == "ClusterIP"
        assert service["selector"] == DEPLOYMENTS[name]["spec"]["template"]["metadata"]["labels"]
        (port,) = service["ports"]
        (opened,) = CONTAINERS[name]["ports"]
        assert (port["targetPort"], port["port"]) == (opened["name"], opened["containerPort"])


def test_links_reach_neither_redis_nor_the_api_and_their_probes_the_port_that_answers() -> None:
    assert {name for name in environment("links") if name.endswith(("_URL", "_KEY", "_SECRET"))} == {
        "OVERNIGHT_DATABASE_URL",
        "OVERNIGHT_LINK_SECRET",
    }
    assert environment("links")["OVERNIGHT_DATABASE_URL"]["secretKeyRef"]["key"] == "links-database-url"
    (port,) = CONTAINERS["links"]["ports"]
    assert port["containerPort"] == inspect.signature(links).parameters["port"].default
    for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert CONTAINERS["links"][kind]["httpGet"] == {"path": "/health", "port": port["name"]}


def test_links_answer_their_probe_with_what_the_manifest_gives_them(tmp_path: Path) -> None:
    variables = {
        "OVERNIGHT_LINKS": '{"url": "https://overnight.example", "secrets": "env:OVERNIGHT_LINK_SECRET"}',
        "OVERNIGHT_LINK_SECRET": "whsec_" + base64.b64encode(b"s" * 32).decode(),
    }
    clean = {name: value for name, value in of_a_pod(tmp_path).items() if name != "OVERNIGHT_REDIS_URL"}
    number = free_port()
    command = [*CONTAINERS["links"]["command"], "--port", str(number)]
    command[command.index("0.0.0.0")] = "127.0.0.1"
    with subprocess.Popen(command, env=clean | variables, cwd=tmp_path, stdout=subprocess.DEVNULL) as served:
        try:
            wait_until(lambda: served.poll() is None and is_well(f"http://127.0.0.1:{number}/health"))
        finally:
            served.terminate()


def is_well(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=60).status_code == 200
    except httpx2.HTTPError:
        return False


def test_the_configuration_is_read_without_a_fault(tmp_path: Path) -> None:
    text = CONFIG["data"]["overnight.toml"]
    assert tomllib.loads(text)["lanes"]["default"]["max_items"] == 100_000
    (tmp_path / "overnight.toml").write_text(text)
    variables = {"OVERNIGHT_CONFIG": str(tmp_path / "overnight.toml"), "ANTHROPIC_API_KEY": "sk-sandbox-a"}
    done = subprocess.run(
        [sys.executable, "-c", "from overnight_workers.settings import settings; print(*settings().lanes)"],
        env=of_a_pod(tmp_path) | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "default\n"), done.stderr


def of_a_pod(home: Path) -> dict[str, str]:
    """The variables of a container whose Redis is away, and the programs of this environment."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OVERNIGHT_", "ANTHROPIC_"))}
    return clean | {
        "PATH": f"{Path(sys.executable).parent}:{clean['PATH']}",
        "HOME": str(home),
        "OVERNIGHT_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
        "OVERNIGHT_REDIS_URL": "redis://127.0.0.1:1/0",
    }


def probe(name: str, kind: str, environment: dict[str, str]) -> int:
    command = CONTAINERS[name][kind]["exec"]["command"]
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode


def test_while_redis_is_away_a_worker_is_alive_and_not_ready(tmp_path: Path) -> None:
    assert probe("submit", "readinessProbe", of_a_pod(tmp_path)) == 2
    assert probe("submit", "livenessProbe", of_a_pod(tmp_path)) == 0


def test_where_no_worker_takes_work_it_is_neither(tmp_path: Path, redis_url: str) -> None:
    environment = of_a_pod(tmp_path) | {"OVERNIGHT_REDIS_URL": redis_url}
    assert probe("submit", "readinessProbe", environment) == 1
    assert probe("submit", "livenessProbe", environment) == 1


def test_commands_and_options_exist() -> None:
    for command in ("health", "migrate"):
        words = CONTAINERS["migrate" if command == "migrate" else "submit"]
        options = words["command"] if command == "migrate" else words["readinessProbe"]["exec"]["command"]
        page = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
        assert [word for word in options if word.startswith("--") and word not in page] == []
    known = {name for parameter in celery_worker_options() for name in parameter}
    for name in WORKERS:
        assert {word for word in CONTAINERS[name]["command"][4:] if word.startswith("-")} <= known


def celery_worker_options() -> list[list[str]]:
    from celery.bin.worker import worker

    return [list(parameter.opts) for parameter in worker.params]
