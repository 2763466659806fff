"""Who is calling: key, API version, workspace.

Every key is good. It selects a workspace: `sk-sandbox-NAME` (and `sk-sandbox-NAME-anything`) the workspace
`wrkspc_sandbox_NAME`, any other key one made from its hash. The header `anthropic-workspace-id` selects
another. Two names are refused, for tests: `sk-sandbox-invalid` with 401, `sk-sandbox-forbidden` with 403.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from overnight_workers.sandbox.errors import Refusal

VERSIONS = ("2023-06-01", "2026-10-21")
ORGANIZATION = "5a0db0c5-0000-4000-8000-000000000001"
_NAMED_KEY = re.compile(r"sk-sandbox-([A-Za-z0-9_]+)(-.*)?")
_WORKSPACE = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller that was let in."""

    workspace: str
    version: str
    betas: frozenset[str]

    @property
    def strict(self) -> bool:
        """Whether this version rejects what 2026-10-21 removed."""
        return self.version >= "2026-10-21"


def workspace_of(headers: Mapping[str, str]) -> str:
    """The workspace that the credentials act in. `x-api-key` wins over a bearer token."""
    key = headers.get("x-api-key")
    if not key:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        key = token.strip() if scheme.lower() == "bearer" else ""
    if not key:
        raise Refusal(401, "x-api-key header is required")
    named = _NAMED_KEY.fullmatch(key)
    name = named.group(1) if named else None
    if name == "invalid":
        raise Refusal(401)
    if name == "forbidden":
        raise Refusal(403)
    selected = headers.get("anthropic-workspace-id")
    if selected:
        if _WORKSPACE.fullmatch(selected) is None:
            raise Refusal(400, "anthropic-workspace-id: not a workspace id")
        return selected
    if name is not None:
        return f"wrkspc_sandbox_{name}"
    return "wrkspc_" + blake2b(key.encode(), digest_size=12).hexdigest()


def caller_of(headers: Mapping[str, str], workspace: str) -> Caller:
    """The whole caller, once the key was good."""
    version = headers.get("anthropic-version")
    if not version:
        raise Refusal(400, "anthropic-version: header is required")
    if version not in VERSIONS:
        raise Refusal(400, f'anthropic-version: "{version}" is not a valid version; use {" or ".join(VERSIONS)}')
    betas = frozenset(beta.strip() for beta in headers.get("anthropic-beta", "").split(",") if beta.strip())
    return Caller(workspace, version, betas)
