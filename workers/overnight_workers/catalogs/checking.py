"""What is wrong with a catalog beyond its form: its columns, its template, its output, its parameters."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from overnight_models import exact_json
from overnight_models.errors import BadSettings, TransientError
from overnight_models.request import request
from overnight_models.wire.item_check import lane_faults
from overnight_models.wire.policy import LanePolicy, Policy
from overnight_workers.catalogs import output
from overnight_workers.catalogs.declaration import DeclaredSink
from overnight_workers.catalogs.faults import BadSource
from overnight_workers.catalogs.parts import Faults, Parts
from overnight_workers.catalogs.prompt import BadTemplate, Text
from overnight_workers.catalogs.schedule_times import read_times
from overnight_workers.catalogs.sources import opening
from overnight_workers.catalogs.sources.sql import url_of
from overnight_workers.configuration.reading import near
from overnight_workers.local_time import time_zone
from overnight_workers.settings import settings


def check(parts: Parts, faults: Faults, *, look: bool) -> None:
    """Note every fault. look: whether the source is opened, for the names of its columns."""
    row = None if parts.prompt is None else _template(("prompt", "row"), parts.prompt.row, parts, faults)
    columns = _columns(parts, row, faults) if look else None
    if columns is not None:
        _check_names(parts, columns, faults)
    _check_prompt(parts, row, columns, faults)
    _check_output(parts, faults)
    _check_params(parts, faults)
    if look:
        _check_schedule(parts, faults)
    if look and parts.sink is not None and parts.sink.table is not None:
        _check_url(parts.sink, parts, faults)


def _check_schedule(parts: Parts, faults: Faults) -> None:
    if parts.time_zone is None:
        return
    try:
        time_zone(parts.time_zone)
    except ValueError as error:
        faults.add(("time_zone",), str(error))
        return
    try:
        read_times(parts.schedule or "0 22 * * *", parts.time_zone)
    except ValueError as error:
        faults.add(("schedule",), str(error))


def _check_url(sink: DeclaredSink, parts: Parts, faults: Faults) -> None:
    try:
        url_of(sink.url, sink.url_variable, parts.directory)
    except BadSource as error:
        faults.add(("sink", "url" if sink.url is not None else "url_variable"), error.faults[0])


def _columns(parts: Parts, row: Text | None, faults: Faults) -> tuple[str, ...] | None:
    """The source's columns; None where it can't be opened, which is a fault."""
    if parts.source is None:
        return None
    wanted = {*parts.key, *parts.source.types, *(() if row is None else row.columns)}
    try:
        return opening.columns_of(parts.source, parts.directory, wanted)
    except (BadSource, TransientError) as error:
        for fault in error.faults if isinstance(error, BadSource) else [str(error)]:
            faults.add(("source",), fault)
        return None


def _check_names(parts: Parts, columns: Sequence[str], faults: Faults) -> None:
    """Columns that the file names and the source hasn't."""
    for name in parts.key:
        _check_column(("key",), name, columns, faults)
    for name in () if parts.source is None else parts.source.types:
        _check_column(("source", "types", name), name, columns, faults)
    if parts.prompt is None:
        return
    for table, media in (("images", parts.prompt.images), ("pdfs", parts.prompt.pdfs)):
        for name in media:
            _check_column(("prompt", table, name), name, columns, faults)
    if parts.prompt.cut_column is not None:
        _check_column(("prompt", "cut_column"), parts.prompt.cut_column, columns, faults)


def _check_column(
    place: tuple[str, ...], name: str, columns: Collection[str], faults: Faults, lines_below: int = 0
) -> None:
    if name not in columns:
        faults.add(place, f"the source has no column {name!r}{near(name, columns)}", lines_below=lines_below)


def _check_prompt(parts: Parts, row: Text | None, columns: Sequence[str] | None, faults: Faults) -> None:
    """The templates: what they use, and whether they can be used."""
    if parts.prompt is None:
        return
    system = None
    if parts.prompt.system is not None:
        system = _template(("prompt", "system"), parts.prompt.system, parts, faults)
    for name, line in {} if row is None or columns is None else row.columns.items():
        below = _lines_below(("prompt", "row"), line, parts, faults)
        _check_column(("prompt", "row"), name, columns or (), faults, below)
    for name, line in {} if system is None else system.columns.items():
        below = _lines_below(("prompt", "system"), line, parts, faults)
        faults.add(
            ("prompt", "system"),
            f"it uses {name}, and the system part is the same for all rows: move that into `row`",
            lines_below=below,
        )
    cut = parts.prompt.cut_column
    if cut is not None and row is not None and cut not in row.columns:
        faults.add(("prompt", "cut_column"), f"`row` has no {cut} in it that could be cut")


def _template(place: tuple[str, ...], text: str, parts: Parts, faults: Faults) -> Text | None:
    try:
        template = Text(text)
    except BadTemplate as error:
        faults.add(place, str(error), lines_below=_lines_below(place, error.line, parts, faults))
        return None
    for word, line in template.variant_words.items():
        _check_word(place, word, parts.variants, faults, _lines_below(place, line, parts, faults))
    return template


def _check_word(
    place: tuple[str, ...], word: str, variants: Mapping[str, Mapping[str, str]], faults: Faults, lines_below: int
) -> None:
    lacking = [name for name, words in variants.items() if word not in words]
    if not variants:
        faults.add(place, f"it uses variant.{word}, and there are no [variants]", lines_below=lines_below)
    elif lacking:
        faults.add(place, f"it uses variant.{word}, which {', '.join(lacking)} hasn't", lines_below=lines_below)


def _lines_below(place: tuple[str, ...], line: int, parts: Parts, faults: Faults) -> int:
    """How far below its key a line of a template stands in the file: a text of many lines may begin in the next one."""
    at = faults.lines.get(place)
    lines = parts.text.split("\n")
    if at is None or at > len(lines):
        return 0
    begins_below = (
        lines[at - 1].rstrip().endswith(('"""', "'''")) and lines[at - 1].count(lines[at - 1].rstrip()[-3:]) == 1
    )
    return line - 1 + begins_below if begins_below or line > 1 else 0


def _check_output(parts: Parts, faults: Faults) -> None:
    if parts.output is None:
        return
    try:
        output.load(parts.output, parts.directory)
    except ValueError as error:
        faults.add(("output", "class" if parts.output.class_ else "schema_file"), str(error))


def _check_params(parts: Parts, faults: Faults) -> None:
    """What a request may have beside its prompt."""
    stand_in = {"messages": [{"role": "user", "content": "."}]}
    for name in ("messages", "system"):
        if name in parts.params:
            faults.add(("params", name), "it is what [prompt] makes: leave it out")
    judged = {**parts.params, **stand_in}
    try:
        exact_json.dumps(judged)
    except (TypeError, ValueError):
        faults.add(("params",), "it has what isn't JSON, such as a date: write it as a text")
    policy = _policy()
    rules = policy.lanes.get(parts.lane) if policy is not None else LanePolicy()
    if policy is not None and rules is None:
        faults.add(("lane",), lane_faults(parts.lane, policy)[0])
    rules = rules or LanePolicy()
    models = None if policy is None or rules.unknown_price == "accept" else policy.models
    for fault in request.faults(judged, models=models, api_version=rules.api_version, betas=parts.betas):
        named = next((name for name in ("model", "max_tokens") if re.search(rf"`{name}`|unknown {name} ", fault)), None)
        if named is None or named in parts.params:
            faults.add((named,) if named else ("params",), fault)
    if parts.prompt is not None and parts.prompt.longer_model is not None:
        for fault in request.unknown_model({"model": parts.prompt.longer_model}, models):
            faults.add(("prompt", "longer_model"), fault)


def _policy() -> Policy | None:
    """What the configuration takes; None where it has faults of its own, which are said elsewhere."""
    try:
        return settings().policy
    except BadSettings:
        return None
