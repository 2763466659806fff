"""The chooser: gives requests that name no model one of their lane's, by what is learned of its prompts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from overnight_models import exact_json
from overnight_models.request.prefix import Prefix
from overnight_models.request.prompt import pieces
from overnight_models.request.worst_case import holds_no_text
from overnight_workers import process
from overnight_workers.settings import Lane
from overnight_workers.sizes import rates
from overnight_workers.sizes.choice import Asked, Choice, Count, Rate, choose

_MEDIA_TOKENS: Final = 1_500
"""What an image or a document is expected to have."""


class Chooser:
    """Chooses for the requests of one lane; what they have in common is looked up once."""

    def __init__(self, lane: str, rules: Lane) -> None:
        self._lane, self._models = lane, rules.models
        self._rate: Callable[[str], Rate] | None = None

    def choose(
        self,
        params: dict[str, object],
        betas: Collection[str],
        prefix: Prefix | None,
        size: int,
        count: Count | None = None,
    ) -> tuple[dict[str, Any], Choice | None]:
        """The params with their model, and how it was chosen: None where they name it themselves.

        prefix: what they go on from. size: bytes of the whole request.
        """
        if not self.is_asked(params):
            return params, None
        whole = params if prefix is None else {**prefix.tools, **params}
        parts = [exact_json.dumps(params), *([] if prefix is None else [prefix.document])]
        asked = Asked(whole, betas, size, says_no_tokens=holds_no_text(*parts))
        choice = choose(self._models, asked, process.prices(), self._rates, count)
        return {**params, "model": choice.model}, choice

    def is_asked(self, params: Mapping[str, object]) -> bool:
        """Whether it is the lane that names the model of a request."""
        return bool(self._models) and "model" not in params

    def expect(self, params: dict[str, object], betas: Collection[str]) -> tuple[dict[str, object], bool]:
        """A whole request with the model that it is likely to go to, and whether that is counted before it is sent."""
        if not self.is_asked(params):
            return params, False
        size, parts = len(exact_json.dumps(params)), list(pieces(params))
        _, choice = self.choose(params, betas, None, size)
        if choice is None or not choice.is_near:
            return params if choice is None else {**params, "model": choice.model}, False
        text, media = sum(piece.size for piece in parts), sum(piece.media for piece in parts)
        chosen, _ = self.choose(
            params, betas, None, size, lambda model: round(text * self._rates(model).about) + _MEDIA_TOKENS * media
        )
        return chosen, True

    @property
    def _rates(self) -> Callable[[str], Rate]:
        if self._rate is None:
            self._rate = rates.rates_of(self._lane)
        return self._rate
