"""A file of requests, one JSON object a line: what `overnight enqueue` and `overnight plan` read.

Three forms, which may be mixed: ours (`key` and `params`, and what else an item may have), Anthropic's batch format
(`custom_id` and `params`), and plain params, as `client.messages.create(**params)` takes them; the key of a plain line
is made from its content, so that the same line is the same item. Memory is flat, whatever the number of lines.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from overnight_models import exact_json
from overnight_models.errors import BadItem, PermanentError
from overnight_models.request.countable import divide, may_hold_uncountable
from overnight_models.request.worst_case import may_have_more
from overnight_models.wire.item_check import item_faults
from overnight_models.wire.message import ItemLine
from overnight_models.wire.policy import Policy
from overnight_producers import Item
from overnight_producers.item import line_of
from overnight_workers.sizes.chooser import Chooser

_TABLES: Final = frozenset({".csv", ".tsv", ".parquet", ".xlsx", ".xls", ".xlsb", ".ods"})
_FIELDS: Final = frozenset(
    {"key", "custom_id", "params", "callback", "tenant", "betas", "output", "trace_id", "cuttable"}
    | {"deadline", "give_up_at"}
)
_BOM: Final = codecs.BOM_UTF8
_MADE_KEY_BYTES: Final = 16


class BadLine(PermanentError):
    """A line of the file isn't an item."""


@dataclass(frozen=True, slots=True)
class Line:
    """One item of a file."""

    number: int
    """Counted from 1."""
    offset: int
    """Bytes of the file before it."""
    item: Item


@dataclass(frozen=True, slots=True)
class Bad:
    """One line that can't be enqueued."""

    number: int
    why: str


@dataclass(frozen=True, slots=True)
class Checked:
    """An item as it would travel, and what is wrong with it."""

    written: ItemLine | None
    """None when it can't be written at all."""
    size: int
    """Bytes of its params, as batches count them."""
    faults: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """What of its prompt can't be counted."""
    may_be_too_long: bool = False
    """Whether its prompt has to be counted before it may be packed, since its bytes don't say that it fits."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Those that are sent: with the model that its lane is likely to choose, where it names none."""
    is_between_models: bool = False
    """That model is chosen by a count before it is sent."""


def open_file(file: Path) -> IO[bytes]:
    """The file, to be read from the start as often as wanted; `-` is a copy of standard input.

    Raises PermanentError when it can't be read.
    """
    if str(file) == "-":
        copy = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the caller's `with`
        shutil.copyfileobj(sys.stdin.buffer, copy)
        return copy
    if file.suffix.lower() in _TABLES:
        raise PermanentError(
            f"{file} is a table, and items are JSON Lines: `overnight catalog new {file}` begins a catalog, which asks"
            " for each of its rows"
        )
    if file.suffix.lower() == ".toml":
        raise PermanentError(
            f"{file} is no file of items, which are JSON Lines: where it is a catalog, `overnight enrich {file}"
            " --dry-run` says what its rows will cost"
        )
    try:
        return file.open("rb")
    except OSError as error:
        raise PermanentError(f"{file} can't be read: {error.strerror}") from error


def lines(source: IO[bytes], *, passed_over: Collection[int] = ()) -> Iterator[Line | Bad]:
    """Every line from the start, as an item or as what is wrong with it; blank ones are left out.

    passed_over: numbers of lines to leave out.
    """
    source.seek(0)
    offset = 0
    for number, text in enumerate(source, start=1):
        here, offset = offset, offset + len(text)
        if number in passed_over or not text.removeprefix(_BOM).strip():
            continue
        try:
            yield Line(number, here, read_line(text))
        except BadLine as error:
            yield Bad(number, str(error))


def line_at(source: IO[bytes], offset: int) -> Item:
    """The item of the line that begins there."""
    source.seek(offset)
    return read_line(source.readline())


def read_line(text: bytes) -> Item:
    """One line as an item; the mark that some editors put before the first one is passed over. Raises BadLine."""
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise BadLine("this is UTF-16: save the file as UTF-8")
    try:
        line = exact_json.loads(text.removeprefix(_BOM))
    except ValueError as error:
        raise BadLine(_why_unreadable(text, error)) from error
    if not isinstance(line, Mapping):
        raise BadLine("not a JSON object")
    if "messages" in line and not line.keys() & {"key", "custom_id", "params"}:
        return Item(params=line, key=_made_key(line))
    if isinstance(line.get("requests"), list):
        raise BadLine("this is the body of a whole batch: put one of its requests on each line (jq -c '.requests[]')")
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
        cuttable=line.get("cuttable"),
        deadline=line.get("deadline"),
        give_up_at=line.get("give_up_at"),
    )


def _why_unreadable(text: bytes, error: ValueError) -> str:
    """Why a line can't be read, and where in it: by the place of its value, else by its column."""
    try:
        line = json.loads(text.removeprefix(_BOM))
        why = exact_json.fault_in(line, "line", most_levels=exact_json.MOST_LEVELS) if isinstance(line, dict) else None
    except (ValueError, RecursionError):
        why = None
    if why is not None:
        return why
    # its own line number is always 1
    return f"not JSON: {error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)


def _made_key(params: Mapping[str, object]) -> str:
    content = exact_json.dumps(params, sort_keys=True)
    return hashlib.blake2b(content, digest_size=_MADE_KEY_BYTES).hexdigest()


class Checker:
    """Says what is wrong with the items of one file, as accept would, and that no two have the same key.

    Keys are remembered on disk, and not in memory. A context manager.
    """

    def __init__(
        self,
        lane: str,
        policy: Policy,
        redis_url: str,
        max_input_tokens: int | None = None,
        chooser: Chooser | None = None,
    ) -> None:
        """max_input_tokens: the longest prompt that the lane takes; None: any.

        chooser: of the lane's models; None: each item names its model.
        """
        self.policy = policy
        self._lane, self._redis_url, self._max_input_tokens, self._chooser = lane, redis_url, max_input_tokens, chooser
        self._keys = sqlite3.connect("", isolation_level=None)
        for statement in (
            "PRAGMA journal_mode = OFF",
            "PRAGMA cache_size = -8000",
            "CREATE TABLE seen (hash INTEGER PRIMARY KEY, line INTEGER)",
            "BEGIN",
        ):
            self._keys.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._keys.close()

    def check(self, line: Line) -> Checked:
        """One item, checked whole."""
        item = line.item
        try:
            written, body = line_of(item, redis_url=self._redis_url)
        except BadItem as error:
            return Checked(None, 0, (*error.faults, *self._repeated(line)))
        faults = item_faults(written, lane=self._lane, size=len(body), policy=self.policy)
        params = exact_json.dumps(written["params"])
        long = self._max_input_tokens is not None and may_have_more(self._max_input_tokens, len(params), params)
        left_out = divide(written["params"]).left_out if may_hold_uncountable(params) else ()
        named, is_near = written["params"], False
        if self._chooser is not None and not faults:
            named, is_near = self._chooser.expect(named, written.get("betas", ()))
        return Checked(
            written,
            len(params),
            (*faults, *self._repeated(line)),
            left_out,
            long,
            params=named,
            is_between_models=is_near,
        )

    def _repeated(self, line: Line) -> list[str]:
        key = line.item.key
        if key is None:
            return []
        digest = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), signed=True)
        if self._keys.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (digest, line.number)).rowcount:
            return []
        (first,) = self._keys.execute("SELECT line FROM seen WHERE hash = ?", (digest,)).fetchone()
        return [f"key {key!r} stands in line {first} too"]
