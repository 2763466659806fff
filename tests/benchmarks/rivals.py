"""Rivals that are no dependencies: each in a virtual environment of its own, made once and kept in the user's cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final, NamedTuple

LITELLM: Final = "litellm==1.110.2"
_STARTS_IN_S: Final = 60.0
_LONGEST_S: Final = 0.05
"""For an item, on average: some six times as long as on a quiet machine."""
_INSTALLS_IN_S: Final = 300.0


class Ran(NamedTuple):
    """What a script that sends in real time says of itself."""

    seconds: float
    cpu_s: float
    peak_mb: float
    median_ms: float
    late_ms: float
    """The 95th of 100 calls."""


def litellm(items: int, calls: int, api_url: str, redis_url: str) -> Ran | None:
    """LiteLLM's Router, its limits counted in Redis. None where it can't be installed, or isn't done in time."""
    python = _venv(LITELLM, "redis>=5")
    if python is None:
        return None
    script = str(Path(__file__).with_name("litellm_router.py"))
    words = [str(python), script, str(items), str(calls), api_url, redis_url]
    # it would ask the network for prices
    env = os.environ | {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}
    within_s = _STARTS_IN_S + items * _LONGEST_S
    try:
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True, env=env, timeout=within_s)
    except subprocess.TimeoutExpired:
        print(f"left out: {LITELLM} wasn't done with {items:,} items within {within_s:.0f} s", file=sys.stderr)
        return None
    return Ran(*map(float, done.stdout.split()[-5:]))


def _venv(*packages: str) -> Path | None:
    """The Python of an environment with these packages, which is made when it isn't there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / "overnight-benchmarks" / packages[0].replace("==", "-")
    python = place / "bin" / "python"
    if (place / "installed").exists():
        return python
    try:
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, timeout=_INSTALLS_IN_S)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run(pip, check=True, timeout=_INSTALLS_IN_S)
    except subprocess.SubprocessError as error:
        print(f"left out: {packages[0]} can't be installed: {error}", file=sys.stderr)
        return None
    (place / "installed").touch()
    return python
