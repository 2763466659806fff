"""Grafana's dashboard: each query is answered by a real Prometheus that scrapes what Flower tells."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from overnight_models import routes
from overnight_workers.cli import app
from overnight_workers.operators import dashboard
from overnight_workers.process import pulse_said_at
from overnight_workers.stages.pulse import at_work
from overnight_workers.stages.rescue import sweep
from tests.driving import Service, callback, item, read_command
from tests.ports import free_port
from tests.stages.operators.test_metrics import told
from tests.waiting import wait_until

PROMETHEUS = shutil.which("prometheus")
EMPTY = {
    "Rate limits of real time, used",
    "Alarms that are on",
    "Outcomes that aren't ok, an hour",
    "Bills beside plans",
}
"""Panels that show nothing while all is well, nothing goes in real time, and no run was planned."""


@contextmanager
def serving(text: bytes) -> Iterator[int]:
    """Serve metrics; the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@contextmanager
def prometheus(directory: Path, scraped: int) -> Iterator[str]:
    """A Prometheus that scrapes that port every second; its URL."""
    assert PROMETHEUS is not None
    targets = [{"job_name": "flower", "static_configs": [{"targets": [f"127.0.0.1:{scraped}"]}]}]
    (directory / "prometheus.yml").write_text(
        json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": targets})
    )
    port = free_port()
    words = (f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data")
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [PROMETHEUS, *words, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log, cwd=directory
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def ask(url: str, query: str) -> list[Any]:
    """What Prometheus answers. Raises httpx2.HTTPError while it starts."""
    answer = httpx2.get(f"{url}/api/v1/query", params={"query": query})
    if answer.status_code == 503:
        return []
    assert answer.status_code == 200, f"{query}: {answer.text}"
    found: list[Any] = answer.json()["data"]["result"]
    return found


def test_the_shipped_dashboard_is_what_its_panels_make() -> None:
    assert dashboard.FILE.read_text() == dashboard.written(), "python -m overnight_workers.operators.dashboard"
    panels = dashboard.dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(dashboard.PANELS)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]
    assert len(set(places)) == len(places)


@pytest.mark.skipif(PROMETHEUS is None, reason="no prometheus: apt-get install prometheus")
def test_prometheus_answers_every_query_of_the_dashboard(service: Service, tmp_path: Path) -> None:
    service.accept(item("a", callback=callback()), item("b", fault="refused", callback=callback()))
    service.finish()
    read_command(app, "budget", "--lane", "default", "--day", "5")
    pulse_said_at().clear()
    sweep()
    at_work(routes.PACK)
    text = told()
    types = re.findall(r"^# TYPE (overnight_\w+)", text.decode(), re.MULTILINE)
    names = {*types, *(f"{name}_bucket" for name in types)}
    (tmp_path / "prometheus").mkdir()
    with serving(text) as scraped, prometheus(tmp_path / "prometheus", scraped) as url:
        wait_until(lambda: ask(url, "count_over_time(overnight_ledger_up[5m]) > 2"))
        for panel in dashboard.PANELS:
            answers = [ask(url, expr) for expr, _ in panel.queries]
            assert any(answers) or panel.title in EMPTY, panel.title
            asked = {name for expr, _ in panel.queries for name in re.findall(r"overnight_\w+", expr)}
            assert asked <= names, panel.title
