"""What a service's account sees at the API, and what goes wrong there: the sandbox's own pages, over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx2
import orjson

from tests.service.ledger import Json


class Api(Protocol):
    """A sandbox that runs: where it answers, and where it keeps things."""

    @property
    def url(self) -> str: ...
    @property
    def data_dir(self) -> Path: ...


class Account:
    """The account of one service: its key, its workspace and its bill. name: of the workspace."""

    def __init__(self, sandbox: Api, name: str) -> None:
        self._sandbox = sandbox
        self.key = f"sk-sandbox-{name}"
        self.workspace = f"wrkspc_sandbox_{name}"
        self.http = httpx2.Client(
            base_url=sandbox.url,
            headers={"x-api-key": self.key, "anthropic-version": "2026-10-21"},
            verify=False,  # it would load the world's certificates for a server on this machine
        )

    def close(self) -> None:
        """End its connections; nothing goes wrong for it any more."""
        self.faults_are_over()
        self.http.close()

    def fault(self, at: str, do: str, **more: Any) -> None:
        """One more thing that goes wrong in this workspace."""
        answer = self.http.post("/sandbox/faults", json=[{"at": at, "do": do, "workspace": self.workspace, **more}])
        assert answer.status_code == 200, answer.text

    def faults_are_over(self) -> None:
        """Nothing goes wrong any more."""
        self.http.delete("/sandbox/faults")

    def stranger(self, requests: int = 1, **more: Any) -> str:
        """Somebody else's batch in the same workspace."""
        wish = {"workspace": self.workspace, "requests": requests, **more}
        return str(self.http.post("/sandbox/strangers", json=wish).json()["id"])

    def meter(self) -> Json:
        """What the API accepted and billed in this workspace."""
        workspace = self.http.get("/sandbox/meter").json()["workspaces"].get(self.workspace, {})
        bill: Sequence[Json] = workspace.get("bill", [])
        return {
            "creates": workspace.get("creates_accepted", 0),
            "requests": workspace.get("requests_accepted", 0),
            "billed": sum(row["requests"] for row in bill),
            "nano": sum(row["nanodollars"] for row in bill),
            "realtime_nano": sum(row["realtime_nanodollars"] for row in bill),
            "tokens_in": sum(row["input_tokens"] for row in bill),
            "tokens_out": sum(row["output_tokens"] for row in bill),
        }

    def calls(self, endpoint: str) -> dict[str, int]:
        """How often this workspace called the sandbox there, by status."""
        workspace = self.http.get("/sandbox/meter").json()["workspaces"].get(self.workspace, {"calls": {}})
        by_status: dict[str, int] = workspace["calls"].get(endpoint, {})
        return by_status

    def body_at_the_api(self, api_id: str) -> Json:
        """What the API got for a batch."""
        body: Json = orjson.loads((self._sandbox.data_dir / "bodies" / f"{api_id}.json").read_bytes())
        return body
