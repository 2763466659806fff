"""The recipe: what makes a request of a row. What of it changes makes rows new."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from overnight_models import exact_json
from overnight_producers.structured import asked_and_strict
from overnight_workers.catalogs import cells
from overnight_workers.catalogs.declaration import Catalog
from overnight_workers.catalogs.faults import BadRow
from overnight_workers.catalogs.prompt import Null, Text

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
    reads_files: bool
    """Whether requests have in them what files hold that a column names: those may change while the row doesn't."""

    def __init__(self, catalog: Catalog, output: type[BaseModel] | dict[str, object] | None) -> None:
        """Raises BadTemplate, and ValueError where the output can't be asked for."""
        prompt = catalog.prompt
        self._catalog, self._output = catalog, output
        self._row = Text(prompt.row)
        self._system = None if prompt.system is None else Text(prompt.system)
        self._types = catalog.source.types
        self.columns = tuple(sorted({*self._row.columns, *prompt.images, *prompt.pdfs}))
        self.variants = tuple(catalog.variants) or (None,)
        self.model = catalog.model
        self.reads_files = any(media.by == "path" for media in (*prompt.images.values(), *prompt.pdfs.values()))
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
        text = self._row.render(values, self._words(variant))
        if not text or text.isspace():
            raise BadRow("the prompt of this row is empty")
        params = {**self._params, **self._systems[variant], "messages": [{"role": "user", "content": text}]}
        return Request(params, self._output, self._catalog.betas, None, self._sent_hash(params))

    def _sent_hash(self, params: Mapping[str, Any]) -> bytes:
        hasher = hashlib.blake2b(self.schema_hash, digest_size=HASH_BYTES)
        hasher.update(exact_json.dumps([params, self._catalog.betas], sort_keys=True))
        return hasher.digest()

    def _value(self, column: str, text: str | None) -> object:
        return cells.value_of(column, text, self._types.get(column)) if text else Null(column)

    def _words(self, variant: str | None) -> Mapping[str, str]:
        return {} if variant is None else self._catalog.variants[variant]

    def _system_of(self, variant: str | None) -> dict[str, object]:
        if self._system is None:
            return {}
        return {"system": self._system.render({}, self._words(variant))}


def recipe_of(catalog: Catalog) -> Recipe:
    """The recipe of a catalog. Raises BadCatalog where its output's class or file isn't there any more."""
    from overnight_workers.catalogs.output import output_of

    return Recipe(catalog, output_of(catalog))


def _hash(value: object) -> bytes:
    return hashlib.blake2b(exact_json.dumps(value, sort_keys=True), digest_size=HASH_BYTES).digest()
