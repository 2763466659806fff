"""Where settings come from: overnight.toml, and over it the variables of the environment."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from overnight_models.errors import BadSettings
from overnight_workers.configuration.kinds import shown
from overnight_workers.configuration.reading import Faults, near

PREFIX: Final = "OVERNIGHT_"
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_LEVEL: Final = "OVERNIGHT_LOG_LEVEL"
"""The one variable that isn't a setting of the file: it counts before the file is read."""

_OF_KUBERNETES: Final = re.compile(r"\w+_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")
"""What Kubernetes sets in every container for a Service whose name begins with `overnight`."""


def config_path() -> Path:
    """The overnight.toml that is meant, whether or not it is there."""
    return Path(os.environ.get("OVERNIGHT_CONFIG") or "overnight.toml")


def given_in_file() -> dict[str, object]:
    """What overnight.toml says, unchecked; empty where there is none. Raises BadSettings when it can't be read."""
    path = config_path()
    if not path.exists():
        if os.environ.get("OVERNIGHT_CONFIG"):
            raise BadSettings([f"OVERNIGHT_CONFIG names {path}, which doesn't exist"])
        return {}
    try:
        return tomllib.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadSettings([f"{path}: {error}"]) from error


def given(
    names: tuple[str, ...],
    tables: tuple[str, ...],
    named_in: Callable[[Mapping[str, object]], Iterable[str]] = lambda values: (),
) -> tuple[dict[str, object], Faults]:
    """What file and environment say together, unchecked, and what is wrong already.

    names: of values; their variables hold texts.
    tables: their variables hold JSON, which goes over the file's table value by value.
    named_in: the variables that values name, such as those of secrets: their names are up to whoever writes the file.
    """
    faults = Faults()
    try:
        values: dict[str, object] = dict(given_in_file())
    except BadSettings as error:
        faults.said += error.faults
        values = {}
    sources = {name: variable for name in (*names, *tables) if os.environ.get(variable := PREFIX + name.upper())}
    for name, variable in sources.items():
        value: object = os.environ[variable]
        if name in tables:
            try:
                value = json.loads(os.environ[variable])
            except ValueError as error:
                # the value may hold a password; where it stops being JSON is no secret
                place = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
                faults.sources = {name: variable}
                faults.add((name,), f"it isn't JSON ({place}), which holds the table [{name}]")
                values.pop(name, None)
                continue
        values[name] = over(values.get(name), value)
    faults.sources = sources
    _check_variables((*names, *tables), named_in(values), faults)
    return values, faults


def over(below: object, above: object) -> object:
    """A value over another: tables are joined, anything else is replaced."""
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    return {**below, **{name: over(below.get(name), value) for name, value in above.items()}}


def _check_variables(names: tuple[str, ...], named: Iterable[str], faults: Faults) -> None:
    known = [*(PREFIX + name.upper() for name in names), LOG_LEVEL]
    for variable in sorted({*os.environ} - {*named}):
        if not variable.upper().startswith(PREFIX) or variable in known or _OF_KUBERNETES.fullmatch(variable):
            continue
        if variable.upper() in known:
            faults.said.append(f"{variable}: variables are written in capitals: {variable.upper()}")
        else:
            faults.said.append(f"{variable}: there is no such variable{near(variable.upper(), known)}")
    level = os.environ.get(LOG_LEVEL)
    if level and level.upper() not in LOG_LEVELS:
        faults.said.append(f"{LOG_LEVEL}: it is {', '.join(LOG_LEVELS[:-1])} or {LOG_LEVELS[-1]}, not {shown(level)}")
