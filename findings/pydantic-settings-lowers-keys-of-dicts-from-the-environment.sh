#!/usr/bin/env bash
set -euo pipefail
# Behaviour: where a field is a dict, a key that comes in by the name of an environment variable is lowered: SHOP_LANES__Copy__WAIT makes the lane "copy".
# Expected: names of fields are found in any case, since fields have known names; a key of a dict is data and stays as it was written.
# Source: pydantic_settings/sources/utils.py: parse_env_vars lowers all names unless case_sensitive is set
# Here: workers/overnight_workers/settings.py: names of lanes, workspaces and webhooks are made of small letters

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydantic-settings==2.16.3 pydantic==2.14.4 || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import os, sys
from importlib.metadata import version

from pydantic import BaseModel
from pydantic_settings import BaseSettings, SettingsConfigDict


class Lane(BaseModel):
    wait: int


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="SHOP_", env_nested_delimiter="__")
    lanes: dict[str, Lane] = {}


class CaseSensitive(Settings):
    model_config = SettingsConfigDict(env_prefix="SHOP_", env_nested_delimiter="__", case_sensitive=True)


print(f"pydantic-settings {version('pydantic-settings')}")
os.environ["SHOP_LANES__Copy__WAIT"] = "3"
by_name = Settings().lanes
print(f"SHOP_LANES__Copy__WAIT=3: {by_name}")
del os.environ["SHOP_LANES__Copy__WAIT"]
os.environ["SHOP_LANES"] = '{"Copy": {"wait": 3}}'
by_json = Settings().lanes
print(f"SHOP_LANES as JSON: {by_json}")
del os.environ["SHOP_LANES"]
os.environ["SHOP_lanes__Copy__wait"] = "3"
sensitive = CaseSensitive().lanes
print(f"case_sensitive, SHOP_lanes__Copy__wait=3: {sensitive}")
print("So one setting, written in two ways, makes two lanes.")
sys.exit(0 if list(by_name) == ["copy"] and list(by_json) == list(sensitive) == ["Copy"] else 1)
PYTHON
