"""The recipe: what makes a request of a row. What of it changes makes rows new."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from overnight_models import exact_json
from overnight_models.ledger.catalogs.memory import Recipe as Hashes
from overnight_producers.structured import asked_and_strict
from overnight_workers.catalogs import cells, lengths, media
from overnight_workers.catalogs.declaration import Catalog, Media
from overnight_workers.catalogs.faults import BadRow, TooLong
from overnight_workers.catalogs.prompt import Text
from overnight_workers.catalogs.texts import Null

HASH_BYTES: Final = 16


@dataclass(frozen=True)
class Request:
    """What is sent for one row (and one variant)."""

    params: dict[str, Any]
    """As `Item.params`; without the output's schema, which `Item.output` adds."""
    output: type[BaseModel] | dict[str, object] | None
    """As `Item.output`."""
    betas: tuple[str, ...]
    cuttable: str | None
    """As `Item.cuttable`: the place of the text that a lane with a limit may cut."""
    sent_hash: bytes
    """16 bytes of all that is sent: texts, images, schema, model, parameters."""
    tokens: int | None = None
    """Of its texts before they were cut, as estimated; None where the catalog has no `max_input_tokens`."""


class Recipe:
    """Prompt, output, model and parameters of a catalog, compiled. Safe to use for any number of rows."""

    columns: tuple[str, ...]
    """The columns that a request is made of, in order of their names; the key's only if the prompt uses them."""
    variants: tuple[str | None, ...]
    """The names of the variants, in the file's order; (None,) where there are none."""
    model: str
    prompt_hash: bytes
    """16 bytes: system and row part, images and PDFs, types of the columns used, limits, the words of variants."""
    schema_hash: bytes
    """16 bytes of the output's schema; of nothing where there is none."""
    params_hash: bytes
    """16 bytes: max_tokens, params and betas. The model stands beside it."""
    file_columns: tuple[str, ...]
    """Columns that name files whose content is sent: that may change while the row doesn't."""

    def __init__(self, catalog: Catalog, output: type[BaseModel] | dict[str, object] | None) -> None:
        """Raises BadTemplate, and ValueError where the output can't be asked for."""
        prompt = catalog.prompt
        self._catalog, self._output = catalog, output
        self._row = Text(prompt.row)
        self._system = None if prompt.system is None else Text(prompt.system)
        self._types = catalog.source.types
        self._cut = prompt.cut_column
        self.columns = tuple(sorted({*self._row.columns, *prompt.images, *prompt.pdfs}))
        self.variants = tuple(catalog.variants) or (None,)
        self.model = catalog.model
        self.file_columns = tuple(
            name for name, media in sorted({**prompt.images, **prompt.pdfs}.items()) if media.by == "path"
        )
        self._params = {"model": catalog.model, "max_tokens": catalog.max_tokens, **catalog.params}
        strict = None if output is None else asked_and_strict(output)
        types = {name: kind for name, kind in self._types.items() if name in self.columns}
        self.prompt_hash = _hash(
            [prompt.model_dump(mode="json"), types, {name: dict(words) for name, words in catalog.variants.items()}]
        )
        self.schema_hash = _hash(strict)
        self.params_hash = _hash([catalog.max_tokens, catalog.params, list(catalog.betas)])
        self._systems = {name: self._system_of(name) for name in self.variants}

    def request(self, row: Mapping[str, str | None], variant: str | None = None) -> Request:
        """The request of a row: cells by column, as a source's relation has them; it may have others.

        Raises BadRow when this row can't be sent: a null that the template doesn't expect, a cell that isn't of its
        type, a prompt that is too long.
        """
        values = {name: self._value(name, row[name]) for name in self.columns}
        rendered = self._row.render(values, {} if variant is None else self._catalog.variants[variant])
        if not rendered or rendered.isspace():
            raise BadRow("the prompt of this row is empty")
        system = self._systems[variant]
        parts, model, tokens = self._fitted(rendered, system)
        content, cuttable = _content(self._media(row), parts)
        params = {**self._params, "model": model, **({"system": system} if system else {})}
        params["messages"] = [{"role": "user", "content": content}]
        return Request(params, self._output, self._catalog.betas, cuttable, self._sent_hash(params), tokens)

    def _fitted(self, rendered: str, system: str) -> tuple[lengths.Parts, str, int | None]:
        """The prompt as it fits, who is asked, and how long it was. Raises TooLong where it doesn't fit."""
        prompt, cut = self._catalog.prompt, self._catalog.prompt.cut_column
        parts = lengths.Parts(rendered, "", "") if cut is None else lengths.divided(rendered, cut)
        max_tokens = prompt.max_input_tokens
        if max_tokens is None:
            return parts, self.model, None
        tokens = lengths.tokens(*parts, system)
        if tokens <= max_tokens:
            return parts, self.model, tokens
        if prompt.when_longer == "model" and prompt.longer_model is not None:
            return parts, prompt.longer_model, tokens
        if prompt.when_longer == "cut" and parts.cuttable and cut is not None:
            return lengths.shortened(parts, max_tokens, system, cut), self.model, tokens
        raise TooLong(f"the prompt has about {tokens:,} tokens, and max_input_tokens is {max_tokens:,}", tokens)

    def _media(self, row: Mapping[str, str | None]) -> list[dict[str, object]]:
        """The blocks of images and PDFs, in the file's order."""
        prompt, blocks = self._catalog.prompt, []
        kinds: Sequence[tuple[media.Kind, Mapping[str, Media]]] = (("image", prompt.images), ("document", prompt.pdfs))
        for kind, columns in kinds:
            for name, declared in columns.items():
                cell = row[name]
                if cell:
                    blocks.append(media.block(kind, name, cell, declared, self._catalog.directory))
                elif declared.when_null == "refuse":
                    without = f'{{ by = "{declared.by}", when_null = "leave_out" }} sends the row without'
                    raise BadRow(f"{name} is null: {without}", column=name)
        return blocks

    def _sent_hash(self, params: Mapping[str, object]) -> bytes:
        hasher = hashlib.blake2b(self.schema_hash, digest_size=HASH_BYTES)
        hasher.update(exact_json.dumps([params, self._catalog.betas], sort_keys=True))
        return hasher.digest()

    def _value(self, column: str, text: str | None) -> object:
        if not text:
            return Null(column)
        value = cells.value_of(column, text, self._types.get(column))
        return lengths.marked(value) if column == self._cut and isinstance(value, str) else value

    def _system_of(self, variant: str | None) -> str:
        words = {} if variant is None else self._catalog.variants[variant]
        return "" if self._system is None else self._system.render({}, words)


def _content(blocks: list[dict[str, object]], parts: lengths.Parts) -> tuple[str | list[dict[str, object]], str | None]:
    """A message's content, and the place in it that may be cut. A text that may be cut is a block of its own."""
    before, cuttable, after = parts
    if not cuttable:
        text = "".join(parts)
        return ([*blocks, {"type": "text", "text": text}], None) if blocks else (text, None)
    # no block may be blank
    texts = [before, cuttable] if before.strip() else [before + cuttable]
    place = f"messages.0.content.{len(blocks) + len(texts) - 1}.text"
    texts += [after] if after.strip() else []
    written: list[dict[str, object]] = [{"type": "text", "text": text} for text in texts]
    return [*blocks, *written], place


def recipe_of(catalog: Catalog) -> Recipe:
    """The recipe of a catalog. Raises BadCatalog where its output's class or file isn't there any more."""
    from overnight_workers.catalogs.output import output_of

    return Recipe(catalog, output_of(catalog))


def hashes(recipe: Recipe) -> Hashes:
    """A recipe as the ledger keeps it."""
    columns = exact_json.dumps(recipe.columns).decode()
    return Hashes(columns, recipe.prompt_hash, recipe.schema_hash, recipe.model, recipe.params_hash)


def _hash(value: object) -> bytes:
    return hashlib.blake2b(exact_json.dumps(value, sort_keys=True), digest_size=HASH_BYTES).digest()
