"""Structured output: the schema that is asked for, and the stricter one that the API takes.

The API takes closed objects, lists of one kind, and no constraint beyond types. What can be said in its words is
translated; what the API would take for something else (an object with any keys, a tuple, `object`) is refused.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from overnight_models import exact_json
from overnight_models.request.quoted import quoted
from overnight_producers.schema_merge import Unmergeable, merged

if TYPE_CHECKING:
    from typing_extensions import TypeIs

_TYPES: Final = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_OF_TYPE: Final = {
    "object": frozenset(
        {
            *("properties", "required", "additionalProperties", "patternProperties", "propertyNames"),
            *("minProperties", "maxProperties"),
        }
    ),
    "array": frozenset({"items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"}),
    "string": frozenset({"format", "pattern", "minLength", "maxLength"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}),
}
"""Keywords that say something about values of one type only."""
_OPTIONS: Final = ("anyOf", "oneOf")
_KEPT: Final = ("title", "description", "default")
_SILENT: Final = frozenset(
    {
        *("$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "$ref", "type", *_KEPT, *_OPTIONS),
        *("discriminator", "deprecated", "readOnly", "writeOnly"),
    }
)
"""Keywords that are translated, or that say nothing about an answer; of others the model is told."""
_DEEPEST: Final = 60
_MOST_STEPS: Final = 20_000
"""Parts that are looked at: those that refer to each other in circles through `allOf` would never end."""


class OutputModel(Protocol):
    """A model of pydantic's, a subclass of `BaseModel`: so said that hints are read where pydantic isn't imported."""

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        """Its JSON schema."""


def json_schema(output: type[OutputModel] | Mapping[str, object]) -> dict[str, Any]:
    """The schema of what is asked for; answers are validated against this one."""
    if _is_model(output):
        return output.model_json_schema()
    if isinstance(output, Mapping):
        return dict(output)
    raise TypeError(f"`output` must be a pydantic model or a JSON schema, not {quoted(output)}")


def _is_model(output: object) -> TypeIs[type[OutputModel]]:
    """Whether it is a pydantic model. Where pydantic isn't imported, nothing is."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(output, type) and issubclass(output, pydantic.BaseModel)


def asked_and_strict(output: type[OutputModel] | Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """`json_schema` and `for_the_api` of what is asked for; not to be changed. A model is looked at once."""
    if isinstance(output, type):
        return _of_model(output)
    schema = json_schema(output)
    return schema, for_the_api(schema)


@lru_cache(maxsize=256)
def _of_model(output: type[OutputModel]) -> tuple[dict[str, object], dict[str, object]]:
    schema = json_schema(output)
    return schema, for_the_api(schema)


def for_the_api(schema: Mapping[str, object]) -> dict[str, Any]:
    """The same schema in the form that `output_config.format` takes.

    Objects are closed; what the API doesn't enforce (lengths, ranges, patterns) moves into the description, where the
    model reads it, and is checked here when the answer is back.

    Raises ValueError, with every place that can't be said in the API's words, and what to write there instead.
    """
    translator = _Translator(schema)
    strict = translator.translate(schema, "", 0)
    if translator.faults:
        raise ValueError("`output` can't be asked for: " + "; ".join(dict.fromkeys(translator.faults)))
    return strict | {"$defs": translator.definitions} if translator.definitions else strict


class _Translator:
    def __init__(self, root: Mapping[str, object]) -> None:
        self._root = root
        self.definitions: dict[str, dict[str, object]] = {}
        self._names: dict[str, str] = {}
        """Of definitions, by the pointers to them."""
        self.faults: list[str] = []
        self._steps = 0

    def translate(self, schema: object, at: str, depth: int) -> dict[str, object]:
        """A schema at a place, in the API's words; {} where it is faulty."""
        self._steps += 1
        if depth > _DEEPEST or self._steps > _MOST_STEPS:
            return self._fault("the top", f"schemas may have {_DEEPEST} levels and {_MOST_STEPS:,} parts at most")
        if not isinstance(schema, Mapping):
            return self._fault(at, _ANY if schema is True else f"{quoted(schema)} is no schema that an answer can fit")
        if "$ref" in schema:
            return self._reference(schema, at, depth)
        if "allOf" in schema:
            return self._all_of(schema, at, depth)
        if "enum" in schema or "const" in schema:
            return self._literals(schema, at)
        for keyword in _OPTIONS:
            if keyword in schema:
                return self._options(schema, keyword, at, depth)
        declared = schema.get("type", _implied(schema))
        if isinstance(declared, list):
            return self._each_type(schema, declared, at, depth)
        return self._one_type(schema, declared, at, depth)

    def _reference(self, schema: Mapping[str, object], at: str, depth: int) -> dict[str, object]:
        pointer = schema["$ref"]
        target = self._target(pointer, at)
        if target is None or not isinstance(pointer, str):
            return {}
        name = self._names.get(pointer)
        if name is None:
            name = self._names[pointer] = self._free_name(pointer)
            self.definitions[name] = {}
            self.definitions[name] = self.translate(target, name, depth + 1)
        reference: dict[str, object] = {"$ref": f"#/$defs/{name}"}
        description = _described(schema, schema.keys() - _SILENT)
        # a reference stands alone: what is said about it stands around it
        return {"anyOf": [reference], "description": description} if description else reference

    def _target(self, pointer: object, at: str) -> object:
        """What a reference points to; None where it points nowhere, and then that is a fault."""
        target: object = self._root if isinstance(pointer, str) and re.match(r"#(/|$)", pointer) else None
        for written in str(pointer)[1:].split("/")[1:]:
            step = written.replace("~1", "/").replace("~0", "~")
            if isinstance(target, list):
                target = target[int(step)] if step.isdecimal() and int(step) < len(target) else None
            else:
                target = target.get(step) if isinstance(target, Mapping) else None
        if target is None:
            self._fault(at, f"the reference {quoted(pointer)} points to nothing inside the schema")
        return target

    def _free_name(self, pointer: str) -> str:
        name = plain = re.sub(r"[^\w.-]", "_", pointer.rpartition("/")[2].lstrip("#")) or "root"
        number = 1
        while name in self.definitions:
            number += 1
            name = f"{plain}_{number}"
        return name

    def _all_of(self, schema: Mapping[str, object], at: str, depth: int) -> dict[str, object]:
        parts = schema["allOf"]
        whole: Mapping[str, object] = {name: value for name, value in schema.items() if name not in ("allOf", "$defs")}
        for part in parts if isinstance(parts, list) else [None]:
            self._steps += 1
            if self._steps > _MOST_STEPS:
                break
            followed = self._followed(part, at)
            if followed is None:
                return self._fault(at, "`allOf` must be a list of schemas")
            try:
                whole = merged(whole, followed)
            except Unmergeable as error:
                return self._fault(at, f"{error}: write what `allOf` says as one schema")
        return self.translate(whole, at, depth + 1)

    def _followed(self, part: object, at: str) -> Mapping[str, object] | None:
        """A schema, or what it refers to."""
        if isinstance(part, Mapping) and "$ref" in part:
            target = self._target(part["$ref"], at)
            own = {name: value for name, value in part.items() if name != "$ref"}
            return {**target, **own} if isinstance(target, Mapping) else None
        return part if isinstance(part, Mapping) else None

    def _literals(self, schema: Mapping[str, object], at: str) -> dict[str, object]:
        values = schema["enum"] if "enum" in schema else [schema["const"]]
        if not isinstance(values, list) or not values or any(isinstance(value, (dict, list)) for value in values):
            return self._fault(at, "`enum` and `const` may have texts, numbers, true, false and null only")
        strict = {name: schema[name] for name in ("enum", "const") if name in schema}
        return strict | _words(schema, schema.keys() - _SILENT - strict.keys())

    def _options(self, schema: Mapping[str, object], keyword: str, at: str, depth: int) -> dict[str, object]:
        options = schema[keyword]
        if not isinstance(options, list) or not options:
            return self._fault(at, f"`{keyword}` must be a list of schemas")
        shared = {name: schema[name] for name in schema if name == "type" or name in _ALL_OF_TYPES}
        if shared:
            options = [{"allOf": [shared, option]} for option in options]
        strict = [self.translate(option, at, depth + 1) for option in options]
        return {"anyOf": strict} | _words(schema, schema.keys() - _SILENT - shared.keys())

    def _each_type(self, schema: Mapping[str, Any], types: list[Any], at: str, depth: int) -> dict[str, object]:
        if not types or not all(isinstance(kind, str) and kind in _TYPES for kind in types):
            return self._fault(at, f"`type` must be of {', '.join(sorted(_TYPES))}, not {quoted(types)}")
        own = {kind: {"type": kind} | {n: schema[n] for n in schema if n in _keywords_of(kind)} for kind in types}
        strict = [self.translate(part, at, depth + 1) for part in own.values()]
        return {"anyOf": strict} | _words(schema, schema.keys() - _SILENT - _ALL_OF_TYPES)

    def _one_type(self, schema: Mapping[str, object], type_: object, at: str, depth: int) -> dict[str, object]:
        if type_ is None:
            return self._fault(at, _ANY)
        if not isinstance(type_, str) or type_ not in _TYPES:
            return self._fault(at, f"`type` must be of {', '.join(sorted(_TYPES))}, not {quoted(type_)}")
        strict: dict[str, object] = {"type": type_}
        if type_ == "object":
            strict |= self._object(schema, at, depth)
        elif type_ == "array":
            strict |= self._array(schema, at, depth)
        elif type_ == "string" and isinstance(schema.get("format"), str) and schema["format"] in _FORMATS:
            strict["format"] = schema["format"]
        said = strict.keys() | {"items", "prefixItems", "additionalProperties"}
        return strict | _words(schema, schema.keys() - _SILENT - said)

    def _object(self, schema: Mapping[str, object], at: str, depth: int) -> dict[str, object]:
        properties, more = schema.get("properties", {}), schema.get("additionalProperties", True)
        if not isinstance(properties, Mapping) or not all(isinstance(name, str) for name in properties):
            return self._fault(at, "`properties` must be an object of schemas")
        is_open = (isinstance(more, Mapping) and more) or (more is not False and not properties)
        if is_open or schema.get("patternProperties"):
            return self._fault(at, _OPEN)
        required = schema.get("required", [])
        if not isinstance(required, list) or any(name not in properties for name in required):
            return self._fault(at, "`required` must be a list of names that stand in `properties`")
        strict: dict[str, object] = {
            "properties": {
                name: self.translate(part, f"{at}.{name}".lstrip("."), depth + 1) for name, part in properties.items()
            },
            "additionalProperties": False,
        }
        return strict | ({"required": required} if "required" in schema else {})

    def _array(self, schema: Mapping[str, object], at: str, depth: int) -> dict[str, object]:
        if "prefixItems" in schema or isinstance(schema.get("items"), list):
            return self._fault(at, _TUPLE)
        strict = {"items": self.translate(schema.get("items", True), f"{at}[]", depth + 1)}
        fewest = schema.get("minItems")
        return strict | ({"minItems": fewest} if fewest in (0, 1) else {})

    def _fault(self, at: str, why: str) -> dict[str, object]:
        self.faults.append(f"at {at or 'the top'}: {why}")
        return {}


_ALL_OF_TYPES: Final = frozenset().union(*_OF_TYPE.values())
_ANY: Final = "anything would fit (`object`, a list without a type): say what it may be, such as `str | int | None`"
_OPEN: Final = (
    "an object whose keys aren't named (`dict[str, ...]`) would come back empty, since the API closes objects: name its"
    " fields, or ask for a list of objects with a `key` and a `value`"
)
_TUPLE: Final = "the API has no tuples: ask for an object with a field for each place, or for a list of one kind"


def _implied(schema: Mapping[str, object]) -> str | None:
    """The type of a schema that has none, where its keywords say it."""
    for type_ in ("object", "array"):
        if schema.keys() & _OF_TYPE[type_]:
            return type_
    return None


def _keywords_of(type_: str) -> frozenset[str]:
    return _OF_TYPE.get("number" if type_ == "integer" else type_, frozenset())


def _words(schema: Mapping[str, object], keywords: Collection[str]) -> dict[str, object]:
    """Title, default and description. keywords: those that go into the description."""
    kept = {name: schema[name] for name in ("title", "default") if name in schema}
    description = _described(schema, keywords)
    return kept | ({"description": description} if description else {})


def _described(schema: Mapping[str, object], keywords: Collection[str]) -> str:
    """The description, with keywords that the API doesn't take at its end; in the form that Anthropic's SDK has."""
    words = ", ".join(f"{name}: {_written(schema[name])}" for name in schema if name in keywords)
    own = schema.get("description")
    return "\n\n".join(filter(None, [own if isinstance(own, str) else "", f"{{{words}}}" if words else ""]))


def _written(value: object) -> str:
    return value if isinstance(value, str) else exact_json.dumps(value).decode()
