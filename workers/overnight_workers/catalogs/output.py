"""The form of a catalog's answers: a pydantic class of the team's own code, or a file with a JSON Schema."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

from pydantic import BaseModel

from overnight_models import exact_json
from overnight_producers.structured import asked_and_strict
from overnight_workers.catalogs.declaration import Catalog, DeclaredOutput
from overnight_workers.catalogs.faults import BadCatalog

Output = type[BaseModel] | dict[str, object]


def output_of(catalog: Catalog) -> Output | None:
    """The output that a catalog asks for, loaded. Raises BadCatalog."""
    if catalog.output is None:
        return None
    try:
        return load(catalog.output, catalog.directory)
    except ValueError as error:
        raise BadCatalog(str(catalog.path), [f"{catalog.path}: output: {error}"]) from error


def load(declared: DeclaredOutput, directory: Path) -> Output:
    """The class, or the schema. Raises ValueError with why it can't be used, and what to do."""
    schema_or_class = (
        _schema(directory / declared.schema_file) if declared.schema_file else _class(declared.class_ or "", directory)
    )
    asked, _ = asked_and_strict(schema_or_class)
    from overnight_workers.stages import output_schema

    fault = output_schema.fault(exact_json.dumps(asked).decode())
    if fault is not None:
        raise ValueError(fault)
    return schema_or_class


def _schema(file: Path) -> dict[str, object]:
    try:
        schema = exact_json.loads(file.read_bytes())
    except OSError as error:
        raise ValueError(f"{file} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{file} isn't JSON: {error}") from error
    if not isinstance(schema, dict):
        raise ValueError(f"{file} isn't a JSON Schema: an object")
    return schema


_STATES: dict[str, dict[str, tuple[int, int]]] = {}
"""By the first name of an imported module: of each of its files, size and time of change when it was imported."""
_PLACES: list[str] = []
"""Directories that were added to those in which modules are looked for, the latest first."""


def _imported(module_name: str) -> ModuleType:
    """The module as its files are now: a worker lives for weeks, and a schema that changed is sent as it is.

    Two catalogs may have modules of one name, each in its own directory.
    """
    top = module_name.partition(".")[0]
    if top in _STATES and (_STATES[top] != _state(top) or _is_elsewhere(top)):
        for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
            del sys.modules[name]
    importlib.invalidate_caches()
    loaded = importlib.import_module(module_name)
    _STATES[top] = _state(top)
    return loaded


def _look_in(places: Sequence[str]) -> None:
    """Look for modules there, behind what is installed and before where those of other catalogs lie."""
    own = [place for place in places if place in _PLACES or place not in sys.path]
    _PLACES[:] = [*own, *(place for place in _PLACES if place not in own)]
    sys.path[:] = [*(place for place in sys.path if place not in _PLACES), *_PLACES]


def _is_elsewhere(top: str) -> bool:
    """Whether the module of that name, as it would be imported now, is another than the one that is there."""
    loaded, spec = sys.modules.get(top), PathFinder.find_spec(top)
    return loaded is not None and spec is not None and spec.origin != getattr(loaded.__spec__, "origin", None)


def _state(top: str) -> dict[str, tuple[int, int]]:
    files = [
        Path(file)
        for name, module in list(sys.modules.items())
        if (name == top or name.startswith(f"{top}.")) and (file := getattr(module, "__file__", None))
    ]
    return {str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.exists()}


def _class(named: str, directory: Path) -> type[BaseModel]:
    module_name, _, name = named.partition(":")
    _look_in([str(directory.resolve()), str(Path.cwd())])
    try:
        loaded = _imported(module_name)
        for part in name.split("."):
            loaded = getattr(loaded, part)
    except AttributeError as error:
        raise ValueError(f"the module {module_name} has no {name}") from error
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if module_name != missing and not module_name.startswith(f"{missing}."):
            raise ValueError(_own_fault(module_name, error)) from error
        searched = ", ".join(dict.fromkeys((str(directory.resolve()), str(Path.cwd()))))
        raise ValueError(
            f"there is no module {missing}: it was looked for among what is installed, then in {searched}. Install it"
            f" here, or begin the command in the directory that has {missing.replace('.', '/')}"
        ) from error
    except Exception as error:  # a module of somebody else's may raise anything when it is imported
        raise ValueError(_own_fault(module_name, error)) from error
    if not (isinstance(loaded, type) and issubclass(loaded, BaseModel)):
        raise ValueError(f"{named} is no pydantic class")
    return loaded


def _own_fault(module_name: str, error: Exception) -> str:
    """What a module says when it is imported, and where."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    # the first are of this file
    at = (
        f" ({frames[-1].filename}, line {frames[-1].lineno})"
        if len(frames) > 1 and frames[-1].filename != __file__
        else ""
    )
    if isinstance(error, SyntaxError):
        at = ""  # says so itself
    return f"{module_name} was found, and can't be imported: {type(error).__name__}: {error}{at}"
