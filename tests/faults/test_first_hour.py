"""What a newcomer runs into in the first hour is one sentence that says what to do."""

from __future__ import annotations

import base64
import os
import subprocess
from pathlib import Path

import pytest

from overnight_models.embedded_urls import write_product_environment
from tests.forking import run_program

NOBODY = "127.0.0.1:1"


def run_up(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return run(tmp_path, "up", "--data-dir", str(tmp_path / "data"), **variables)


def run(tmp_path: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OVERNIGHT_")}
    return run_program(["overnight", *words], environment=environment | variables, directory=tmp_path, timeout_s=60)


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        ("OVERNIGHT_REDIS_URL", f"redis://:hidden@{NOBODY}/0"),
        ("OVERNIGHT_DATABASE_URL", f"postgresql://shop:hidden@{NOBODY}/shop"),
    ],
)
def test_a_variable_that_names_a_server_that_is_not_there_is_one_sentence(
    tmp_path: Path, variable: str, url: str
) -> None:
    done = run_up(tmp_path, **{variable: url})
    assert done.returncode == 1
    assert f"{variable} names a server at {NOBODY}" in " ".join(done.stderr.split())
    assert f"correct {variable}, or unset it" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert "hidden" not in done.stderr + done.stdout
    assert len(done.stderr.splitlines()) < 10
    assert not (tmp_path / "data" / "postgres").exists()


def test_the_shell_of_a_product_may_start_up_again_since_what_it_names_is_started_by_that(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    own = f"redis://:hidden@{NOBODY}/0"
    write_product_environment(tmp_path / "data", own)
    nobody = f"postgresql://shop@{NOBODY}/shop"
    done = run_up(tmp_path, OVERNIGHT_REDIS_URL=own, OVERNIGHT_DATABASE_URL=nobody)
    assert "OVERNIGHT_REDIS_URL" not in done.stderr
    assert "OVERNIGHT_DATABASE_URL names a server" in " ".join(done.stderr.split())
    other = run_up(tmp_path, OVERNIGHT_REDIS_URL=own.replace("hidden", "other"), OVERNIGHT_DATABASE_URL=nobody)
    assert "OVERNIGHT_REDIS_URL names a server" in " ".join(other.stderr.split())


def test_an_encryption_key_of_a_wrong_length_is_one_sentence_before_anything_is_started(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(base64.b64encode(b"k" * 31).decode())
    (tmp_path / "overnight.toml").write_text(
        f'[encryption.main]\nkeys = "file:{tmp_path / "keys"}"\n[lanes.copy]\nencrypt = "main"\n'
    )
    done = run_up(tmp_path)
    assert done.returncode == 1
    words = " ".join(done.stderr.split())
    assert "lane 'copy' encrypts, and [encryption.main] has no key: file" in words
    assert "its key 1 has 31 bytes, not 32: `overnight encryption new` makes one" in words
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_command_before_anything_was_started_says_what_to_start(tmp_path: Path) -> None:
    done = run(tmp_path, "status", OVERNIGHT_DATA_DIR=str(tmp_path / "data"))

    assert done.returncode == 1
    words = " ".join(done.stderr.split())
    assert "OVERNIGHT_DATABASE_URL isn't set and no embedded server is known" in words
    of_redis = run(tmp_path, "lanes", OVERNIGHT_DATA_DIR=str(tmp_path / "data"))
    assert "OVERNIGHT_REDIS_URL isn't set and no embedded server is known" in " ".join(of_redis.stderr.split())
    assert "start `overnight up`" in words
