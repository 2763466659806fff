"""The schemas that answers must fit: judged at accept, when it can still be told, and applied at collect."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn

import jsonschema_rs

from overnight_models import exact_json
from overnight_models.wire.formats import READ_BY_PYTHON
from overnight_models.wire.judgement import Check


def fault(document: str) -> str | None:
    """Why a schema, as JSON text, can't be used; None when it can."""
    try:
        _validator(document)
    except ValueError as error:
        return f"`output` is no JSON schema that can be checked: {error}"
    return None


def check(document: str) -> Check:
    """What says whether a text fits a schema, quoting no value.

    One that can't be used lets everything through: the answers are paid.
    """
    if fault(document) is not None:
        return lambda _text: None
    validator = _validator(document)

    def wrong(text: str) -> str | None:
        try:
            answer = exact_json.loads(text)
        except ValueError as error:
            return f"the answer isn't JSON: {error}"
        first = next(iter(validator.iter_errors(answer)), None)
        return None if first is None else f"at {'/'.join(map(str, first.instance_path)) or 'the top'}: {first.message}"

    return wrong


@lru_cache(maxsize=256)
def _validator(document: str) -> Any:
    try:
        return jsonschema_rs.validator_for(
            exact_json.loads(document),
            retriever=_refuse,
            mask="the value",
            # by default only where the schema names an old draft (findings/jsonschema-rs-checks-formats-by-draft.sh)
            validate_formats=True,
            formats=dict(READ_BY_PYTHON),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError) as error:
        raise ValueError(str(error).partition("\n")[0]) from error


def _refuse(uri: str) -> NoReturn:
    """Nothing is fetched on the word of an item."""
    raise LookupError(f"{uri} is elsewhere: a schema must stand for itself")


def asked(params: Mapping[str, object]) -> dict[str, object] | None:
    """The schema that the request itself asks its answer to fit."""
    output_config = params.get("output_config")
    form = output_config.get("format") if isinstance(output_config, dict) else None
    if isinstance(form, dict) and form.get("type") == "json_schema" and isinstance(form.get("schema"), dict):
        schema: dict[str, Any] = form["schema"]
        return schema
    return None
