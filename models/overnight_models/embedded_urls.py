"""Where the embedded servers of a data directory answer: what `overnight up` writes and everybody else reads."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Final

from overnight_models.errors import BadSettings

_FILE: Final = "urls.json"
_FOR_PRODUCTS: Final = "product.env"
_WITHOUT_HOME: Final = Path("/var/lib")
"""Not /tmp: there anybody may say where the servers are."""


def default_data_dir() -> Path:
    """The data directory when `OVERNIGHT_DATA_DIR` isn't set: the user's own, by the XDG rules.

    A user without a home (a container's number without a name) has `/var/lib/overnight`.
    """
    home = os.environ.get("XDG_DATA_HOME")
    if home:
        return expanded(home) / "overnight"
    try:
        return Path("~/.local/share").expanduser() / "overnight"
    except RuntimeError:
        return _WITHOUT_HOME / "overnight"


def expanded(path: str | Path) -> Path:
    """A path that may begin with `~`. Raises BadSettings when the user has no home."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise BadSettings(
            [f"{path}: this user has no home directory: set HOME, or name the directory without `~`"]
        ) from error


def made(path: str | Path) -> Path:
    """A data directory that is there, as an absolute path. Raises BadSettings when it can't be made."""
    directory = expanded(path).absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadSettings(
            [f"the data directory {directory} can't be made ({error.strerror}): name another with --data-dir"]
        ) from error
    return directory


def write_product_environment(data_dir: Path, redis_url: str) -> Path:
    """Write what a product's shell has to be told, readable by its owner only; the file, to be sourced."""
    path = data_dir / _FOR_PRODUCTS
    _write_privately(path, _product_environment(redis_url))
    return path


def is_told_to_products(data_dir: Path, redis_url: str) -> bool:
    """Whether a product's shell has that URL from this data directory: then its Redis is the embedded one."""
    try:
        return (data_dir / _FOR_PRODUCTS).read_text() == _product_environment(redis_url)
    except (OSError, ValueError):
        return False


def _product_environment(redis_url: str) -> str:
    return f"export OVERNIGHT_REDIS_URL={shlex.quote(redis_url)}\n"


def write_urls(data_dir: Path, urls: dict[str, str]) -> None:
    """Publish the servers' URLs in the data directory, readable by its owner only (they hold passwords)."""
    _write_privately(data_dir / _FILE, json.dumps(urls, indent=2))


def _write_privately(path: Path, text: str) -> None:
    """Write a file whole or not at all, that only its owner ever could read, whatever was there before."""
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)


def read_urls(data_dir: Path) -> dict[str, str]:
    """The URLs of the embedded servers (`database_url`, `redis_url`); empty if none ever ran there."""
    try:
        urls = json.loads((data_dir / _FILE).read_text())
    except (OSError, ValueError):
        return {}
    return {str(name): str(url) for name, url in urls.items()} if isinstance(urls, dict) else {}
