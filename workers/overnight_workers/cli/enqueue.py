"""`overnight enqueue FILE`: a file of requests, checked whole, handed over, and seen into Postgres."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from overnight_models.errors import PermanentError
from overnight_workers.cli import console

if TYPE_CHECKING:
    from overnight_producers.item import Item

_FIELDS = {"key", "custom_id", "params", "callback", "tenant", "betas", "output", "trace_id"}


class BadLine(PermanentError):
    """A line of the file isn't an item."""


def enqueue(
    file: Annotated[Path, typer.Argument(help="JSON Lines: {'key': …, 'params': {…}} a line; - for standard input.")],
    lane: Annotated[str, typer.Option(help="The lane they go into.")] = "default",
    run: Annotated[str | None, typer.Option(help="A name for all of them: one progress, one bill.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until every item is final.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Enqueue the good lines although others are bad.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what happened as JSON.")] = False,
) -> None:
    """Enqueue a file of requests, one JSON object a line; returns when every item is in Postgres.

    A line has `key` and `params`, and optionally `callback` ({"task", "queue", "args", "kwargs", "broker"}), `tenant`,
    `betas`, `output` (a JSON schema) and `trace_id`. A line of Anthropic's own batch format (`custom_id` in place of
    `key`) works too. The file is read twice: first every line is checked, and while one is bad nothing is enqueued.
    Enqueuing the same file again is free: the same key and content is the same item.
    """
    with _lines_of(file) as source:
        _enqueue(source, lane, run, wait, skip_bad, as_json)


def _enqueue(source: IO[bytes], lane: str, run: str | None, wait: bool, skip_bad: bool, as_json: bool) -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from overnight_models.item_check import lane_faults
    from overnight_producers import Overnight
    from overnight_workers.settings import settings

    wrong_lane = lane_faults(lane, settings().policy)
    if wrong_lane:
        raise PermanentError(wrong_lane[0])
    overnight = Overnight(settings().redis_url or None)
    good, bad = _check(source, lane)
    for line, why in bad[:20]:
        console.fail(f"line {line}: {why}")
    if len(bad) > 20:
        console.fail(f"… and {len(bad) - 20} more bad lines")
    if bad and not skip_bad:
        if as_json:
            console.as_json({"enqueued": 0, "bad": [{"line": line, "why": why} for line, why in bad]})
        raise PermanentError(
            f"nothing was enqueued: {len(bad)} of {good + len(bad)} lines are bad. Mend them, or use --skip-bad"
        )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console.ERR, transient=True) as progress:
        bar = progress.add_task("confirmed in Postgres", total=good)
        confirmation = overnight.enqueue_confirmed(
            (item for _, item in _items(source, {line for line, _ in bad})),
            lane=lane,
            run=run,
            progress=lambda sum_: progress.update(bar, completed=sum_.accepted + sum_.known + len(sum_.rejected)),
        )
    for rejection in confirmation.rejected[:20]:
        console.fail(f"item {rejection.key!r}: {rejection.why}")
    result: dict[str, Any] = {
        "lane": lane,
        "run": run,
        "accepted": confirmation.accepted,
        "known": confirmation.known,
        "rejected": [{"key": one.key, "index": one.index, "why": one.why} for one in confirmation.rejected],
        "bad": [{"line": line, "why": why} for line, why in bad],
    }
    if not as_json:
        console.OUT.print(
            f"{confirmation.accepted:,} accepted, {confirmation.known:,} known already,"
            f" {len(confirmation.rejected):,} rejected, {len(bad):,} bad lines"
        )
    if wait:
        result["items"] = _wait(source, lane, {line for line, _ in bad})
        if not as_json:
            console.OUT.print(", ".join(f"{n:,} {state}" for state, n in sorted(result["items"].items())))
    if as_json:
        console.as_json(result)
    if confirmation.rejected:
        raise typer.Exit(1)


def _check(source: IO[bytes], lane: str) -> tuple[int, list[tuple[int, str]]]:
    """Count the good lines of a file, and say what is wrong with the others."""
    from overnight_models.errors import BadItem
    from overnight_models.item_check import item_faults
    from overnight_producers.item import line_of
    from overnight_workers.settings import settings

    policy = settings().policy
    good = 0
    bad: list[tuple[int, str]] = []
    keys: dict[str, int] = {}
    for line, item in _items(source, set(), bad):
        try:
            written, body = line_of(item, redis_url=settings().redis_url)
            faults = item_faults(written, lane=lane, size=len(body), policy=policy)
        except BadItem as error:
            faults = error.faults
        if item.key is not None and item.key in keys:
            faults.append(f"key {item.key!r} stands in line {keys[item.key]} too")
        elif item.key is not None:
            keys[item.key] = line
        if faults:
            bad.append((line, "; ".join(faults)))
        else:
            good += 1
    return good, sorted(bad)


def _items(
    source: IO[bytes], passed_over: set[int], bad: list[tuple[int, str]] | None = None
) -> Iterator[tuple[int, Item]]:
    """The file's items with their line numbers, from the start; lines that aren't items go to `bad`."""
    source.seek(0)
    for number, text in enumerate(source, start=1):
        if number in passed_over or not text.strip():
            continue
        try:
            yield number, _item(text)
        except BadLine as error:
            if bad is not None:
                bad.append((number, str(error)))


def _item(text: bytes) -> Item:
    import orjson

    from overnight_producers.item import Item

    try:
        line = orjson.loads(text)
    except ValueError as error:
        raise BadLine(f"not JSON: {error}") from error
    if not isinstance(line, Mapping):
        raise BadLine("not a JSON object")
    key = line.get("key", line.get("custom_id"))
    faults = [f"`{name}` isn't known here" for name in line if name not in _FIELDS]
    if not isinstance(key, str) or not key:
        faults.append("`key` (or `custom_id`) is missing: give each line a name of its own")
    if "params" not in line:
        faults.append('`params` is missing: {"key": …, "params": {"model": …, "max_tokens": …, "messages": […]}}')
    if faults:
        raise BadLine("; ".join(faults))
    return Item(
        params=line["params"],
        key=key,
        tenant=line.get("tenant"),
        betas=line.get("betas") or (),
        output=line.get("output"),
        callback=line.get("callback"),
        trace_id=line.get("trace_id"),
    )


def _wait(source: IO[bytes], lane: str, passed_over: set[int]) -> dict[str, int]:
    """Stay until every item of the file is final. Returns how many are in which state."""
    import time

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from overnight_models.ledger import answer
    from overnight_models.states import ITEM
    from overnight_workers.process import database

    keys = [item.key for _, item in _items(source, passed_over) if item.key is not None]
    groups = [keys[start : start + 5000] for start in range(0, len(keys), 5000)]
    final: dict[str, int] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console.ERR, transient=True) as progress:
        bar = progress.add_task("final", total=len(keys))
        while groups:
            unfinished = []
            done = sum(final.values())
            for group in groups:
                with database().transaction() as connection:
                    states = answer.states(connection, lane, group)
                finished = {state: n for state, n in states.items() if state in ITEM.final}
                done += sum(finished.values())
                if len(finished) < len(states):
                    unfinished.append(group)
                else:
                    for state, n in finished.items():
                        final[state] = final.get(state, 0) + n
            progress.update(bar, completed=done)
            groups = unfinished
            if groups:
                time.sleep(1)  # a batch takes minutes to hours: looked at once a second
    return final


def _lines_of(file: Path) -> IO[bytes]:
    import shutil
    import sys
    import tempfile

    if str(file) == "-":
        copy = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the caller's `with`
        shutil.copyfileobj(sys.stdin.buffer, copy)
        return copy
    try:
        return file.open("rb")
    except OSError as error:
        raise PermanentError(f"{file} can't be read: {error.strerror}") from error
