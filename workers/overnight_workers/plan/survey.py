"""The survey: one pass over the file, in which everything is looked at that costs nothing to know.

Memory is flat: what is kept of an item is, for some, where its line begins.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any, Final, NamedTuple

from overnight_models import exact_json
from overnight_models.ledger.names import schema_hash
from overnight_models.money.prices import Model, Prices
from overnight_models.request.prompt import Piece, pieces
from overnight_models.request.quoted import is_word, quoted
from overnight_models.request.request import unknown_model
from overnight_models.request.traps import Trap, traps
from overnight_models.wire.message import ItemLine
from overnight_workers.item_file import Bad, Checked, Checker, Line, lines
from overnight_workers.plan.packing import PackedBatch, Packer
from overnight_workers.plan.prefixes import Prefixes, Shared

LONGEST: Final = 10
_LISTED: Final = 1_000
"""Bad lines that are listed; the others are counted."""
_REASONS: Final = 100
_GROUP: Final = 1_000
"""Items whose keys are looked up at once."""


Known = Callable[[Sequence[ItemLine]], Mapping[str, bool]]
"""Tells which of these items' keys are in the lane already, and whether with the same content."""


class Unit(NamedTuple):
    """One item that may be looked at: where it is, and how large."""

    line: int
    offset: int
    size: int
    """Bytes of text in its prompt, at least 1."""


class CellName(NamedTuple):
    """Which items are alike enough to be sampled together."""

    model: str
    geo: str | None
    media: bool
    """With images or documents, whose bytes say nothing about tokens."""
    scale: int
    """A power of 8 that its bytes are nearest to."""


class Kind(NamedTuple):
    """What a request says that decides how long its answer gets: those of one kind are learned together."""

    schema: bytes | None
    """The hash of the schema that the answer has to fit; None where there is none."""
    scale: int
    """Binary digits of its `max_tokens`."""


@dataclass(slots=True)
class OfKind:
    """Items of one kind, added up."""

    items: int = 0
    max_tokens: int = 0
    """All of them together."""


@dataclass(slots=True)
class Cell:
    """The items of one kind, added up, and a random choice of them."""

    units: int = 0
    size: int = 0
    squares: int = 0
    max_tokens: int = 0
    """All of them together."""
    chosen: list[tuple[float, Unit]] = field(default_factory=list)
    """A heap of the units with the smallest lots, negated: any number of the smallest are a random sample."""

    def add(self, unit: Unit, max_tokens: int, lot: float, limit: int) -> None:
        """One more item. limit: how many are kept."""
        self.units += 1
        self.size += unit.size
        self.squares += unit.size * unit.size
        self.max_tokens += max_tokens
        if len(self.chosen) < limit:
            heapq.heappush(self.chosen, (-lot, unit))
        elif -self.chosen[0][0] > lot:
            heapq.heapreplace(self.chosen, (-lot, unit))


class Long(NamedTuple):
    """One of the longest items."""

    unit: Unit
    cell: CellName
    key: str


@dataclass(frozen=True, slots=True)
class Marks:
    """The caller's own cache_control, of the items of one model."""

    items: int = 0
    size: int = 0
    """Bytes up to each item's last mark."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What a file holds. Items are those that can be enqueued and aren't in the ledger already."""

    items: int
    size: int
    """Bytes of their params."""
    known: int
    """Items that are in the lane already: they cost nothing again."""
    bad: int
    bad_lines: tuple[Bad, ...]
    """The first of them."""
    reasons: Mapping[str, int]
    """Why lines can't be enqueued, with how many."""
    unpriced: Mapping[str, int]
    """Items by models that the price list doesn't know; in no other number, but where their lane refuses them they are
    among the bad ones."""
    cells: Mapping[CellName, Cell]
    kinds: Mapping[tuple[str, str | None], Mapping[Kind, OfKind]]
    """By model and geography."""
    batches: tuple[PackedBatch, ...]
    traps: tuple[tuple[Trap, str, int], ...]
    """A trap, a model, how many items."""
    prefixes: tuple[Shared, ...]
    marks: Mapping[tuple[str, str | None], Marks]
    """By model and geography."""
    longest: tuple[Long, ...]
    """The largest by bytes of text, the largest first."""
    uncounted: Mapping[tuple[str, ...], int]
    """Items of whose prompts a part can't be counted, by what that is."""
    unknown: frozenset[tuple[str, str | None]]
    """Models and geographies that have such items."""
    unmeasured: int
    """Items that may have more tokens than the lane takes: they are counted before they are packed."""
    between_models: int
    """Items whose size is near a limit of the lane's models: they are counted before they are packed."""
    of_schema: int
    """Items whose answers must be of a schema."""

    @property
    def models(self) -> list[str]:
        """The models of its items, the most frequent first."""
        counter: Counter[str] = Counter()
        for name, cell in self.cells.items():
            counter[name.model] += cell.units
        return [model for model, _ in counter.most_common()]


def survey(
    source: IO[bytes],
    checker: Checker,
    prices: Prices,
    packer: Packer,
    *,
    known: Known,
    seed: int,
    most_chosen: int,
    progress: Callable[[int], None] = lambda offset: None,
) -> Survey:
    """Read a file once, whole.

    seed: the same file and seed choose the same items.
    progress: is told how many bytes were read.
    """
    surveyor = _Surveyor(prices, packer, random.Random(seed), most_chosen)
    for line, checked in enqueuable(source, checker, known):
        if isinstance(line, Bad):
            surveyor.turn_down(line.number, (line.why,))
        elif checked is None:
            surveyor.known += 1
        else:
            surveyor.look_at(line, checked, checker.policy.models)
            progress(line.offset)
    return surveyor.survey()


def enqueuable(source: IO[bytes], checker: Checker, known: Known) -> Iterator[tuple[Line | Bad, Checked | None]]:
    """Every line of a file, checked as enqueuing would: what isn't new has nothing to be looked at."""
    read = lines(source)
    while group := list(islice(read, _GROUP)):
        checks = [None if isinstance(line, Bad) else checker.check(line) for line in group]
        there = known([check.written for check in checks if check and check.written is not None and not check.faults])
        for line, check in zip(group, checks, strict=True):
            same = None if isinstance(line, Bad) or (check and check.faults) else there.get(str(line.item.key))
            if same is False:
                yield (
                    Bad(line.number, "its key is taken in this lane by an item with other content: give it another"),
                    None,
                )
            else:
                yield line, None if same else check


class _Surveyor:
    def __init__(self, prices: Prices, packer: Packer, rng: random.Random, most_chosen: int) -> None:
        self.known = 0
        self._prices, self._packer, self._rng, self._most_chosen = prices, packer, rng, most_chosen
        self._items = self._size = self._bad = self._unmeasured = self._between_models = self._of_schema = 0
        self._bad_lines: list[Bad] = []
        self._reasons: Counter[str] = Counter()
        self._unpriced: Counter[str] = Counter()
        self._cells: dict[CellName, Cell] = {}
        self._kinds: defaultdict[tuple[str, str | None], dict[Kind, OfKind]] = defaultdict(dict)
        self._traps: Counter[tuple[Trap, str]] = Counter()
        self._uncounted: Counter[tuple[str, ...]] = Counter()
        self._unknown: set[tuple[str, str | None]] = set()
        self._prefixes = Prefixes()
        self._marks: dict[tuple[str, str | None], Marks] = {}
        self._longest: list[tuple[int, int, Long]] = []

    def turn_down(self, number: int, faults: Sequence[str]) -> None:
        """A line that can't be enqueued."""
        self._bad += 1
        if len(self._bad_lines) < _LISTED:
            self._bad_lines.append(Bad(number, "; ".join(faults)))
        for fault in faults:
            if fault in self._reasons or len(self._reasons) < _REASONS:
                self._reasons[fault] += 1

    def look_at(self, line: Line, checked: Checked, models: Collection[str]) -> None:
        """A line that may be enqueued. models: those that it may name."""
        if checked.faults or checked.written is None:
            self.turn_down(line.number, checked.faults)
            params: object = line.item.params  # whatever the file has
            if isinstance(params, Mapping) and list(checked.faults) == unknown_model(params, models):
                self._unpriced[str(params["model"]) if is_word(params["model"]) else quoted(params["model"])] += 1
            return
        params = checked.params
        if self._prices.model(params["model"]) is None:  # its lane takes it all the same
            self._unpriced[params["model"]] += 1
            return
        betas = checked.written.get("betas", [])
        model, geo = priced_as(params, self._prices)
        prompt = list(pieces(params))
        size = size_of(prompt)
        unit = Unit(line.number, line.offset, size)
        self._items += 1
        self._size += checked.size
        self._unmeasured += checked.may_be_too_long
        self._between_models += checked.is_between_models
        self._note_kind(model.name, geo, checked.written, params)
        if checked.left_out:
            self._uncounted[checked.left_out] += 1
            self._unknown.add((model.name, geo))
        self._packer.add(checked.size, betas)
        name = CellName(model.name, geo, any(piece.media for piece in prompt), round(size.bit_length() / 3))
        cell = self._cells.setdefault(name, Cell())
        cell.add(unit, int(params["max_tokens"]), self._rng.random(), self._most_chosen)
        for trap in traps(params, model, betas=betas):
            self._traps[trap, model.name] += 1
        self._prefixes.add(model.name, geo, prompt, line.offset)
        self._mark(model.name, geo, params, prompt, size)
        kept = (size, -line.number, Long(unit, name, str(line.item.key)))
        if len(self._longest) < LONGEST:
            heapq.heappush(self._longest, kept)
        else:
            heapq.heappushpop(self._longest, kept)

    def _note_kind(self, model: str, geo: str | None, written: ItemLine, params: Mapping[str, Any]) -> None:
        config = params.get("output_config")
        format_ = config.get("format") if isinstance(config, Mapping) else None
        self._of_schema += format_ is not None
        schema = written.get("output") or (format_.get("schema") if isinstance(format_, Mapping) else None)
        hash_ = None if schema is None else schema_hash(exact_json.dumps(schema))
        max_tokens = int(params["max_tokens"])
        of_kind = self._kinds[model, geo].setdefault(Kind(hash_, max_tokens.bit_length()), OfKind())
        of_kind.items += 1
        of_kind.max_tokens += max_tokens

    def _mark(self, model: str, geo: str | None, params: Mapping[str, object], prompt: list[Piece], size: int) -> None:
        marked, so_far = 0, 0
        for piece in prompt:
            so_far += piece.size
            marked = so_far if piece.mark else marked
        if params.get("cache_control"):  # automatic: up to the last block
            marked = size
        if marked:
            before = self._marks.get((model, geo), Marks())
            self._marks[model, geo] = Marks(before.items + 1, before.size + marked)

    def survey(self) -> Survey:
        """Everything so far."""
        return Survey(
            items=self._items,
            size=self._size,
            known=self.known,
            bad=self._bad,
            bad_lines=tuple(self._bad_lines),
            reasons=dict(self._reasons.most_common()),
            unpriced=dict(self._unpriced.most_common()),
            cells=self._cells,
            kinds=self._kinds,
            batches=self._packer.packed(),
            traps=tuple((trap, model, n) for (trap, model), n in self._traps.most_common()),
            prefixes=self._prefixes.shared(),
            marks=self._marks,
            longest=tuple(long for _, _, long in sorted(self._longest, reverse=True)),
            uncounted=dict(self._uncounted.most_common()),
            unknown=frozenset(self._unknown),
            unmeasured=self._unmeasured,
            between_models=self._between_models,
            of_schema=self._of_schema,
        )


def priced_as(params: Mapping[str, object], prices: Prices) -> tuple[Model, str | None]:
    """The model and geography by which a checked request is priced."""
    model = prices.model(str(params["model"]))
    assert model is not None, "checked"
    geo = params.get("inference_geo")
    return model, geo if isinstance(geo, str) and geo in model.geography else None


def size_of(prompt: Iterable[Piece]) -> int:
    """Bytes of text in a prompt, at least 1."""
    return max(sum(piece.size for piece in prompt), 1)
