"""Looking: lines of the file, found again and counted by the API."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Final, TypeVar

from overnight_models.prices import Prices
from overnight_producers import Item
from overnight_producers.item import line_of
from overnight_workers.item_file import Checker, Line, line_at, lines
from overnight_workers.plan.counting import Counter, Prompt, Refused
from overnight_workers.plan.prefixes import Shared
from overnight_workers.plan.prompt import counted, head, nothing, pieces
from overnight_workers.plan.strata import Group
from overnight_workers.plan.survey import Unit, priced_as, size_of
from overnight_workers.plan.tokens import Counted

T = TypeVar("T")

_GROUP: Final = 1_000


@dataclass(frozen=True, slots=True)
class Looker:
    """Has lines of one file counted."""

    source: IO[bytes]
    counter: Counter
    redis_url: str

    def look(self, _group: Group, units: Sequence[Unit]) -> list[int | Refused]:
        """The tokens of some items, in their order."""
        prompts = (self._prompt(unit, line_at(self.source, unit.offset)) for unit in units)
        return [found for _, found in self.counter.counts(prompts)]

    def every(
        self, checker: Checker, known: Callable[[Sequence[str]], Collection[str]], prices: Prices
    ) -> Iterator[Counted]:
        """The tokens of every item of the file that can be enqueued and isn't known. Flat."""

        def prompts() -> Iterator[Prompt[tuple[str, str | None, str, int]]]:
            for item in self._good(checker, known):
                params = line_of(item, redis_url=self.redis_url)[0]["params"]
                model, geo = priced_as(params, prices)
                yield self._prompt((model.name, geo, str(item.key), size_of(pieces(params))), item)

        for (model, geo, key, size), found in self.counter.counts(prompts()):
            yield Counted(model, geo, key, size, found)

    def beginnings(self, shared: Sequence[Shared]) -> list[int | None]:
        """The tokens of shared beginnings; None where the API doesn't take one."""

        def prompts() -> Iterator[Prompt[None]]:
            for one in shared:
                params = line_of(line_at(self.source, one.offset), redis_url=self.redis_url)[0]["params"]
                yield Prompt(None, head(params, one.pieces))
                yield Prompt(None, nothing(params))

        found = [tokens for _, tokens in self.counter.counts(prompts())]
        return [
            None if isinstance(whole, Refused) or isinstance(empty, Refused) else max(whole - empty, 0)
            for whole, empty in zip(found[::2], found[1::2], strict=True)
        ]

    def _good(self, checker: Checker, known: Callable[[Sequence[str]], Collection[str]]) -> Iterator[Item]:
        read = lines(self.source)
        while group := list(islice(read, _GROUP)):
            items = [line for line in group if isinstance(line, Line)]
            there = known([str(line.item.key) for line in items])
            yield from (line.item for line in items if line.item.key not in there and not checker.check(line).faults)

    def _prompt(self, of: T, item: Item) -> Prompt[T]:
        written, _ = line_of(item, redis_url=self.redis_url)
        return Prompt(of, counted(written["params"]), written.get("betas", ()))
