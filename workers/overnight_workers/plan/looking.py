"""Looking: lines of the file, found again and counted by the API."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, TypeVar

from overnight_models.money.prices import Prices
from overnight_models.request.prompt import counted, head, nothing, pieces
from overnight_producers import Item
from overnight_producers.item import line_of
from overnight_workers.item_file import Checker, line_at
from overnight_workers.plan.counting import Count, Counter, Prompt, Refused, known_tokens
from overnight_workers.plan.prefixes import Shared
from overnight_workers.plan.strata import Group
from overnight_workers.plan.survey import Known, Unit, enqueuable, priced_as, size_of
from overnight_workers.plan.tokens import Counted
from overnight_workers.sizes.chooser import Chooser

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Looker:
    """Has lines of one file counted."""

    source: IO[bytes]
    counter: Counter
    redis_url: str
    chooser: Chooser
    """Of the lane's models."""

    def look(self, _group: Group, units: Sequence[Unit]) -> list[Count]:
        """The tokens of some items, in their order."""
        prompts = (self._prompt(unit, line_at(self.source, unit.offset)) for unit in units)
        return [tokens for _, tokens in self.counter.counts(prompts)]

    def every(self, checker: Checker, known: Known, prices: Prices) -> Iterator[Counted]:
        """The tokens of every item of the file that can be enqueued and isn't known. Flat."""

        def prompts() -> Iterator[Prompt[tuple[str, str | None, str, int]]]:
            for _, checked in enqueuable(self.source, checker, known):
                if checked is not None and checked.written is not None and not checked.faults:
                    written, params = checked.written, checked.params
                    if prices.model(params["model"]) is None:
                        continue  # in no sum, so nobody needs to know how long it is
                    model, geo = priced_as(params, prices)
                    of = (model.name, geo, written["key"], size_of(pieces(params)))
                    yield Prompt(of, counted(params), written.get("betas", ()))

        for (model, geo, key, size), tokens in self.counter.counts(prompts()):
            yield Counted(model, geo, key, size, tokens)

    def beginnings(self, shared: Sequence[Shared]) -> list[int | None]:
        """The tokens of shared beginnings; None where the API doesn't take one."""

        def prompts() -> Iterator[Prompt[None]]:
            for segment in shared:
                written, _ = line_of(line_at(self.source, segment.offset), redis_url=self.redis_url)
                # several models may share it
                params = {**written["params"], "model": segment.model}
                yield Prompt(None, head(params, segment.pieces))
                yield Prompt(None, nothing(params))

        counted = [tokens for _, tokens in self.counter.counts(prompts())]
        return [
            None
            if isinstance(whole, Refused) or isinstance(empty, Refused)
            else max(known_tokens(whole) - known_tokens(empty), 0)
            for whole, empty in zip(counted[::2], counted[1::2], strict=True)
        ]

    def _prompt(self, of: T, item: Item) -> Prompt[T]:
        written, _ = line_of(item, redis_url=self.redis_url)
        betas = written.get("betas", ())
        return Prompt(of, counted(self.chooser.expect(written["params"], betas)[0]), betas)
