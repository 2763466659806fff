"""Reading a catalog file: every fault at once, with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from overnight_workers.catalogs.checking import check
from overnight_workers.catalogs.declaration import (
    CLASS,
    CLOCK,
    Catalog,
    DeclaredOutput,
    DeclaredPrompt,
    DeclaredSink,
    DeclaredSource,
)
from overnight_workers.catalogs.faults import BadCatalog
from overnight_workers.catalogs.lines import Path as Place
from overnight_workers.catalogs.lines import lines_of
from overnight_workers.catalogs.misnamed import why_no_catalog
from overnight_workers.catalogs.parts import Faults, Parts
from overnight_workers.configuration.reading import near

P = TypeVar("P", bound=BaseModel)


def read_catalog(path: Path) -> Catalog:
    """Read a catalog file and look at what it names: its source's columns, its template, its output.

    Raises BadCatalog with every fault, by file and line; BadSource when the source can't be opened.
    """
    return _read(path, text_of(path), look=True)


def parse_catalog(text: str, path: Path) -> Catalog:
    """The same from a text that is kept elsewhere. The source isn't looked at, the rest is.

    path: where the text was read from; its directory is where paths in it begin from.
    """
    return _read(path, text, look=False)


def _read(path: Path, text: str, *, look: bool) -> Catalog:
    faults = Faults(path)
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))
        raise BadCatalog(str(path), [f"{path}:{line[1] if line else 1}: not TOML: {error}"]) from error
    faults.lines = lines_of(text)
    given.setdefault("name", path.name.removesuffix(".toml"))
    catalog = _part(Catalog, given, (), faults)
    check(_parts(given, path.parent, text), faults, look=look)
    faults.stop()
    assert catalog is not None, "a fault was noted"
    return catalog.read_from(path, text)


def text_of(path: Path) -> str:
    """A catalog file's text. Raises BadCatalog, also for what is no catalog file, with what to type."""
    if (why := why_no_catalog(path)) is not None:
        raise BadCatalog(str(path), [why])
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadCatalog(str(path), [f"{path}: it can't be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise BadCatalog(str(path), [f"{path}: it isn't UTF-8, as TOML has to be: save it as that"]) from error


def _parts(given: Mapping[str, object], directory: Path, text: str) -> Parts:
    """What can be read of a file, whatever else is wrong with it: so that its faults are said too."""
    variants, params, lane = given.get("variants"), given.get("params"), given.get("lane")
    written = {name: given[name] for name in ("model", "max_tokens") if name in given}
    return Parts(
        directory=directory,
        text=text,
        source=_alone(DeclaredSource, given.get("source")),
        prompt=_alone(DeclaredPrompt, given.get("prompt"), at_least=("row", "system")),
        output=_alone(DeclaredOutput, given.get("output")),
        sink=_alone(DeclaredSink, given.get("sink")),
        key=_texts(given.get("key")),
        variants={name: words for name, words in _table(variants).items() if isinstance(words, dict)},
        params={**_table(params), **written},
        lane=lane if isinstance(lane, str) else "default",
        betas=_texts(given.get("betas")),
        schedule=_text(given.get("schedule")),
        time_zone=_text(given.get("time_zone")),
    )


def _text(given: object) -> str | None:
    return given if isinstance(given, str) else None


def _texts(given: object) -> tuple[str, ...]:
    listed = [given] if isinstance(given, str) else given if isinstance(given, list) else []
    return tuple(text for text in listed if isinstance(text, str))


def _table(given: object) -> dict[str, object]:
    return given if isinstance(given, dict) else {}


def _alone(kind: type[P], given: object, *, at_least: tuple[str, ...] = ()) -> P | None:
    """A part for itself, without the options that are wrong: those are faults already.

    at_least: options that are enough to look at, where others contradict each other.
    """
    if not isinstance(given, dict):
        return None
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        wrong = {fault["loc"][0] for fault in error.errors() if fault["loc"]}
    for kept in (given.keys() - wrong, at_least):
        try:
            return kind.model_validate({name: given[name] for name in kept if name in given})
        except ValidationError:
            continue
    return None


def _part(kind: type[P], given: object, at: Place, faults: Faults) -> P | None:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            _note(kind, fault, at, faults)
        return None


_FORMS: Final = {
    CLOCK: "it is a time of the day, such as 06:00",
    CLASS: "it is a module and a class in it, such as shop.answers:Description",
}
"""What to write, by the pattern that a text doesn't have."""
_SENTENCES: Final[dict[str, Callable[[Mapping[str, object]], str]]] = {
    "missing": lambda _: "it has to be said",
    "literal_error": lambda context: f"it is {context['expected']}",
    "string_type": lambda _: "it is a text, in quotation marks",
    "string_too_short": lambda _: "it is empty",
    "string_too_long": lambda context: f"it has {context['max_length']} character at most",
    "int_type": lambda _: "it is a whole number",
    "int_parsing": lambda _: "it is a whole number",
    "dict_type": lambda _: "it is a table",
    "model_type": lambda _: "it is a table",
    "tuple_type": lambda _: "it is a list of texts",
    "too_short": lambda _: "it has one entry at least",
    "greater_than_equal": lambda context: f"it is {context['ge']:g} at least",
    "less_than_equal": lambda context: f"it is {context['le']:g} at most",
    "string_pattern_mismatch": lambda context: _FORMS.get(
        str(context["pattern"]), f"it doesn't have the form {context['pattern']}"
    ),
    "value_error": lambda context: str(context["error"]),
}


def _note(kind: type[BaseModel], error: ErrorDetails, at: Place, faults: Faults) -> None:
    """One of pydantic's errors as a sentence, at its place in the file."""
    place = tuple(part for part in (*at, *error["loc"]) if part not in ("literal['as_they_come','complete']", "Valid"))
    if error["type"] == "extra_forbidden":
        faults.add(place, f"there is no such option{near(str(place[-1]), _known(kind, place[:-1]))}")
        return
    sentence = _SENTENCES.get(error["type"])
    faults.add(place, error["msg"] if sentence is None else sentence(error.get("ctx", {})))


def _known(kind: type[BaseModel], place: Place) -> list[str]:
    """The options that stand in a table of the file."""
    for name in place:
        part = next((option for key, option in kind.model_fields.items() if name in (key, option.alias)), None)
        inner = [] if part is None else _classes(part.annotation)
        if not inner:
            return []
        kind = inner[0]
    return [option.alias or name for name, option in kind.model_fields.items()]


def _classes(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [class_ for inner in getattr(annotation, "__args__", ()) for class_ in _classes(inner)]
