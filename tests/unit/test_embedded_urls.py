"""What `overnight up` writes of its servers: for its owner only, and no more than is needed."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from overnight_models.embedded_urls import read_urls, write_product_environment, write_urls

REDIS = "redis://:pass$word'@127.0.0.1:6379/0"


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """That of whoever started it."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_with_passwords_are_their_owners_whatever_the_umask_and_whatever_was_there(
    tmp_path: Path, umask: int
) -> None:
    for name in ("product.env", "product.env.new", "urls.json", "urls.json.new"):
        (tmp_path / name).write_text("left by an earlier version")
        (tmp_path / name).chmod(0o644)
    product = write_product_environment(tmp_path, REDIS)
    write_urls(tmp_path, {"redis_url": REDIS})
    assert {path.name: mode(path) for path in tmp_path.iterdir()} == {"product.env": 0o600, "urls.json": 0o600}
    assert read_urls(tmp_path) == {"redis_url": REDIS}
    assert product.parent == tmp_path


def test_a_products_environment_is_where_redis_is_and_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-planted")
    monkeypatch.setenv("OVERNIGHT_DATABASE_URL", "postgresql://planted@h/d")
    text = write_product_environment(tmp_path, REDIS).read_text()
    assert shlex.split(text) == ["export", f"OVERNIGHT_REDIS_URL={REDIS}"]
