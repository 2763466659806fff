"""Where the embedded servers of a data directory answer: what `overnight up` writes and everybody else reads."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Final

_FILE: Final = "urls.json"


def default_data_dir() -> Path:
    """The data directory when `OVERNIGHT_DATA_DIR` isn't set: the user's own, by the XDG rules."""
    home = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(home).expanduser() / "overnight"


def write_urls(data_dir: Path, urls: dict[str, str]) -> None:
    """Publish the servers' URLs in the data directory, readable by its owner only (they hold passwords)."""
    fresh = data_dir / (_FILE + ".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(urls, indent=2))
    fresh.replace(data_dir / _FILE)


def read_urls(data_dir: Path) -> dict[str, str]:
    """The URLs of the embedded servers (`database_url`, `redis_url`); empty if none ever ran there."""
    try:
        found = json.loads((data_dir / _FILE).read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(url) for name, url in found.items()} if isinstance(found, dict) else {}
