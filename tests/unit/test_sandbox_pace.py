"""`overnight up` against the sandbox: nobody waits for minutes in any lane, unless that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from overnight_workers.cli.up import sandbox_pace, variables_of
from overnight_workers.settings import Settings, read_settings


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where overnight.toml is, which isn't there yet."""
    path = tmp_path / "overnight.toml"
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OVERNIGHT_CONFIG", raising=False)
    return path


def _in_force(monkeypatch: pytest.MonkeyPatch) -> Settings:
    for variable, value in variables_of(sandbox_pace()).items():
        monkeypatch.setenv(variable, value)
    return read_settings()


def test_without_a_file_lane_default_is_quick(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = _in_force(monkeypatch)
    assert (settings.lanes["default"].max_wait, settings.timing.poll_every) == (2.0, 1.0)


def test_a_lane_that_the_file_names_is_quick_too_and_keeps_what_it_says(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written.write_text('[lanes.copy]\nmax_items = 7\n[lanes.slow]\nmax_wait = "1m"\n[timing]\nsweep_every = "4s"\n')
    settings = _in_force(monkeypatch)
    assert {name: lane.max_wait for name, lane in settings.lanes.items()} == {"default": 2.0, "copy": 2.0, "slow": 60.0}
    assert settings.lanes["copy"].max_items == 7
    assert (settings.timing.sweep_every, settings.timing.poll_every) == (4.0, 1.0)


def test_lanes_of_the_environment_keep_what_they_say(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERNIGHT_LANES", '{"copy": {"max_items": 7}, "default": {"max_wait": "9s"}}')
    monkeypatch.setenv("OVERNIGHT_TIMING", '{"poll_every": "3s"}')
    settings = _in_force(monkeypatch)
    assert (settings.lanes["copy"].max_items, settings.lanes["copy"].max_wait) == (7, 2.0)
    assert (settings.lanes["default"].max_wait, settings.timing.poll_every) == (9.0, 3.0)
