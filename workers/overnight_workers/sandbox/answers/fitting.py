"""Values that fit a JSON schema, made up from a number and a few words of the request.

A schema is compiled once into nested functions; each call then only picks. The same number and words give
the same value. Not read: not, if/then/else, contains, patternProperties, dependent*.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from overnight_workers.sandbox.answers.keywords import Schema, Unfittable, figure, listed, named, size
from overnight_workers.sandbox.answers.strings import formatted, matching, sized
from overnight_workers.sandbox.draws import draw

#: How deep a schema that refers to itself is followed before only what is required is filled in.
_DEEP = 4
_BOTTOMLESS = 40
#: Of a number that stands for a text too: the patterns of that text. No keyword of JSON schema.
_WRITTEN = "x-written"
_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")

Words = tuple[int, str]
Maker = Callable[[Words, int, int], object]


def compile_schema(schema: Schema | bool) -> Callable[[int, str], object]:
    """A function of a number and a few words that returns a value fitting `schema`."""
    maker = _Compiler(schema).maker(schema)

    def make(number: int, words: str) -> object:
        return maker((number, words), 0, 0)

    return make


class _Compiler:
    def __init__(self, root: Schema | bool) -> None:
        self._root = root
        self._makers: dict[int, Maker] = {}
        # Held on to: makers are known by their schema's identity, which a freed object would give away.
        self._merged: list[Schema] = []

    def maker(self, schema: object) -> Maker:
        """The maker of a schema; the same object is compiled once, so that recursion ends."""
        if schema is True or schema == {}:
            return lambda words, salt, depth: sized(words[1], None, None)
        if not isinstance(schema, Mapping):
            raise Unfittable(f"{schema!r}: nothing fits this schema")
        known = self._makers.get(id(schema))
        if known is not None:
            return known
        made: list[Maker] = []

        def later(words: Words, salt: int, depth: int) -> object:
            return made[0](words, salt, depth)

        # Known before it is compiled: a schema may refer to itself.
        self._makers[id(schema)] = later
        made.append(self._compile(schema))
        self._makers[id(schema)] = made[0]
        return made[0]

    def _compile(self, schema: Schema) -> Maker:
        if "$ref" in schema:
            target = self._resolve(schema["$ref"])
            rest = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
            return self.maker(target) if len(rest) == 1 else self._kept(_merged(target, _without(rest, "$ref")))
        if "const" in schema:
            constant = schema["const"]
            return lambda words, salt, depth: constant
        if "enum" in schema:
            return _one_of_values(listed(schema, "enum"))
        if "allOf" in schema:
            merged: Schema = _without(schema, "allOf")
            for part in listed(schema, "allOf"):
                merged = _merged(merged, self._followed(part))
            return self._kept(merged)
        for key in ("anyOf", "oneOf"):
            if key in schema:
                return self._one_of_schemas(_without(schema, key), listed(schema, key))
        return self._of_type(schema)

    def _kept(self, schema: Schema) -> Maker:
        self._merged.append(schema)
        return self.maker(schema)

    def _followed(self, schema: object) -> object:
        """The schema itself, or with what it refers to put in its place."""
        if isinstance(schema, Mapping) and "$ref" in schema:
            return _merged(self._resolve(schema["$ref"]), _without(schema, "$ref"))
        return schema

    def _resolve(self, ref: object) -> Schema:
        if not isinstance(ref, str) or not ref.startswith("#"):
            raise Unfittable(f"$ref {ref!r}: only references inside the schema are followed")
        target: object = self._root
        for written in ref[1:].split("/")[1:]:
            step = written.replace("~1", "/").replace("~0", "~")
            target = (
                target[int(step)]
                if isinstance(target, list)
                else target.get(step)
                if isinstance(target, Mapping)
                else None
            )
            if target is None:
                raise Unfittable(f"$ref {ref!r}: points nowhere")
        return target if isinstance(target, Mapping) else {}

    def _one_of_schemas(self, shared: Schema, options: list[object]) -> Maker:
        makers: list[Maker] = []
        options = _as_numbers(options)
        self._merged += [option for option in options if isinstance(option, Mapping)]
        for option in options:
            if shared.keys() - _ANNOTATIONS:
                makers.append(self._kept(_merged(shared, self._followed(option))))
            else:
                makers.append(self.maker(option))
        shallow = [maker for maker, option in zip(makers, options, strict=True) if _is_leaf(option)] or makers

        def make(words: Words, salt: int, depth: int) -> object:
            choice = shallow if depth >= _DEEP else makers
            return choice[int(draw(words[0], salt, depth, 11) * len(choice))](words, salt, depth + 1)

        return make

    def _of_type(self, schema: Schema) -> Maker:
        declared = schema.get("type", _implied(schema))
        if isinstance(declared, list):
            makers = [self._of_type({**schema, "type": kind}) for kind in declared]
            # "string or null" is mostly a string.
            makers = [maker for maker, kind in zip(makers, declared, strict=True) if kind != "null"] * 3 + makers
            return lambda words, salt, depth: makers[int(draw(words[0], salt, depth, 12) * len(makers))](
                words, salt, depth
            )
        match declared:
            case "object":
                return self._object(schema)
            case "array":
                return self._array(schema)
            case "integer" | "number":
                return _number(schema, whole=declared == "integer")
            case "boolean":
                return lambda words, salt, depth: draw(words[0], salt, depth, 13) < 0.5
            case "null":
                return lambda words, salt, depth: None
            case "string":
                return _string(schema)
        raise Unfittable(f"type {declared!r}: not one of {', '.join(_TYPES)}")

    def _object(self, schema: Schema) -> Maker:
        properties = named(schema, "properties")
        required = [str(name) for name in listed(schema, "required")]
        more = schema.get("additionalProperties", True)
        fields = [(name, name in required, self.maker(sub)) for name, sub in properties.items() if sub is not False]
        fields += [(name, True, self.maker(more)) for name in required if name not in properties]
        at_least = size(schema, "minProperties") or 0
        extra = at_least - len(fields) if more is not False else 0
        fields += [(f"extra_{number}", True, self.maker(more)) for number in range(max(0, extra))]
        needed = at_least > sum(must for _, must, _ in fields)
        at_most = size(schema, "maxProperties")

        def make(words: Words, salt: int, depth: int) -> dict[str, object]:
            if depth > _BOTTOMLESS:
                raise Unfittable("a required property contains itself without end")
            lean = depth >= _DEEP and not needed
            kept = [field for field in fields if field[1] or not lean]
            if at_most is not None and len(kept) > at_most:
                kept = sorted(kept, key=lambda field: not field[1])[:at_most]
            return {
                name: maker(words, salt * 31 + number + 1, depth + 1) for number, (name, _, maker) in enumerate(kept)
            }

        return make

    def _array(self, schema: Schema) -> Maker:
        first = [self.maker(sub) for sub in listed(schema, "prefixItems")]
        rest = schema.get("items", True)
        at_least = size(schema, "minItems") or 0
        at_most = size(schema, "maxItems")
        longest = max(at_least, 3 if at_most is None else min(at_most, at_least + 3))
        maker = self.maker(rest) if rest is not False else None
        unique = bool(schema.get("uniqueItems", False))
        free_text = isinstance(rest, Mapping) and rest.get("type") == "string" and not rest.keys() & _NOT_FREE

        def make(words: Words, salt: int, depth: int) -> list[object]:
            if depth > _BOTTOMLESS:
                raise Unfittable("a required array contains itself without end")
            low = at_least if depth >= _DEEP else max(at_least, min(1, longest))
            count = low + int(draw(words[0], salt, depth, 14) * (longest - low + 1)) if depth < _DEEP else low
            count = max(count, len(first)) if at_most is None else count
            values = [
                make_value(words, salt * 31 + number, depth + 1) for number, make_value in enumerate(first[:count])
            ]
            tries = 0
            while maker is not None and len(values) < count and tries < count + 200:
                value = maker(words, salt * 31 + 100 + tries, depth + 1)
                tries += 1
                if unique and value in values:
                    if free_text:
                        value = _renumbered(str(value), tries)
                    if value in values:
                        continue
                values.append(value)
            return values

        return make


_NOT_FREE = frozenset({"enum", "const", "pattern", "format"})
_ANNOTATIONS = frozenset(
    {
        "$defs",
        "definitions",
        "title",
        "description",
        "default",
        "examples",
        "$schema",
        "$id",
        "$comment",
        "deprecated",
    }
)


def _one_of_values(values: list[object]) -> Maker:
    if not values:
        raise Unfittable("enum: [] leaves nothing to choose")
    return lambda words, salt, depth: values[int(draw(words[0], salt, 15) * len(values))]


def _string(schema: Schema) -> Maker:
    low, high = size(schema, "minLength"), size(schema, "maxLength")
    if "pattern" in schema:
        pattern = str(schema["pattern"])
        return lambda words, salt, depth: matching(pattern, low, high, words[0] + salt)
    if schema.get("format") in _FORMATS:
        name = str(schema["format"])
        return lambda words, salt, depth: formatted(name, words[0] + salt)
    return lambda words, salt, depth: sized(words[1], low, high)


_FORMATS = frozenset(
    [
        "date-time",
        "date",
        "time",
        "duration",
        "email",
        "idn-email",
        "hostname",
        "uri",
        "uri-reference",
        "uuid",
        "ipv4",
        "ipv6",
        "regex",
        "json-pointer",
    ]
)


def _number(schema: Schema, *, whole: bool) -> Callable[[Words, int, int], float]:
    step = figure(schema, "multipleOf")
    low, high = figure(schema, "minimum"), figure(schema, "maximum")
    above, below = figure(schema, "exclusiveMinimum"), figure(schema, "exclusiveMaximum")
    if _WRITTEN in schema:
        return _written_as(schema, whole=whole)
    grid = step if step is not None else 1 if whole else None
    if grid is not None and whole and float(grid) != int(grid):
        grid = 1 if step is None else math.lcm(*(int(1000 * grid), 1000)) / 1000
    floor = max([value for value in (low, above) if value is not None], default=None)
    ceiling = min([value for value in (high, below) if value is not None], default=None)
    if floor is None:
        floor = min(0, ceiling - 100) if ceiling is not None else 0
    if ceiling is None:
        ceiling = max(100, floor + 100) if grid is None else max(100, floor + 100 * grid)
    if grid is None:
        open_low, open_high = above == floor, below == ceiling

        def make_real(words: Words, salt: int, depth: int) -> float:
            share = draw(words[0], salt, 16)
            value = floor + (ceiling - floor) * (0.05 + 0.9 * share if open_low or open_high else share)
            rounded = round(value, 2)
            inside = floor < rounded < ceiling or (rounded == floor and not open_low)
            return rounded if inside else value

        return make_real
    first = math.ceil(floor / grid)
    last = math.floor(ceiling / grid)
    first += first * grid == above if above is not None else 0
    last -= last * grid == below if below is not None else 0
    if last < first:
        raise Unfittable(f"no number from {floor} to {ceiling} is a multiple of {grid}")

    def make_stepped(words: Words, salt: int, depth: int) -> int | float:
        value = (first + int(draw(words[0], salt, 17) * (last - first + 1))) * grid
        return int(value) if whole else value

    return make_stepped


def _as_numbers(options: list[object]) -> list[object]:
    """Options without a text beside a number: it may be the number written (a decimal is declared so), and no words."""
    texts = [option for option in options if isinstance(option, Mapping) and option.get("type") == "string"]
    texts = [option for option in texts if not option.keys() & {"format", "enum", "const"}]
    if not texts or not any(map(_is_number, options)):
        return options
    patterns = [str(option["pattern"]) for option in texts if "pattern" in option]
    return [
        {**option, _WRITTEN: patterns} if isinstance(option, Mapping) and _is_number(option) else option
        for option in options
        if option not in texts
    ]


def _is_number(schema: object) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") in ("integer", "number")


def _written_as(schema: Schema, *, whole: bool) -> Callable[[Words, int, int], float]:
    """Numbers in the shortest form that fits: how many digits a decimal may have, no schema says."""
    patterns = [str(pattern) for pattern in listed(schema, _WRITTEN)]
    make = _number(_without(schema, _WRITTEN), whole=whole)

    def fits(value: float) -> bool:
        low, high = figure(schema, "minimum", -math.inf), figure(schema, "maximum", math.inf)
        above, below = figure(schema, "exclusiveMinimum", -math.inf), figure(schema, "exclusiveMaximum", math.inf)
        inside = low <= value <= high and above < value < below and "multipleOf" not in schema
        return inside and all(re.search(each, str(value)) for each in patterns)

    def make_written(words: Words, salt: int, depth: int) -> float:
        value = make(words, salt, depth)
        return next((number for number in (round(value), round(value, 1)) if fits(number)), value)

    return make_written


def _implied(schema: Schema) -> str:
    if schema.keys() & {"properties", "required", "additionalProperties", "minProperties"}:
        return "object"
    if schema.keys() & {"items", "prefixItems", "minItems", "maxItems"}:
        return "array"
    if schema.keys() & {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}:
        return "number"
    return "string"


def _merged(schema: Schema, other: object) -> Schema:
    if not isinstance(other, Mapping):
        return schema
    both = {**schema, **other}
    for key in ("properties", "$defs"):
        if key in schema and key in other:
            both[key] = {**named(schema, key), **named(other, key)}
    if "required" in schema and "required" in other:
        names = listed(schema, "required")
        both["required"] = [*names, *(name for name in listed(other, "required") if name not in names)]
    for key, is_lowest in (("minimum", True), ("maximum", False), ("minLength", True), ("maxLength", False)):
        limits = [limit for limit in (figure(schema, key), figure(other, key)) if limit is not None]
        if len(limits) == 2:
            both[key] = max(limits) if is_lowest else min(limits)
    return both


def _without(schema: Schema, key: str) -> dict[str, object]:
    return {name: value for name, value in schema.items() if name != key}


def _is_leaf(schema: object) -> bool:
    if not isinstance(schema, Mapping):
        return True
    return "$ref" not in schema and schema.get("type") not in ("object", "array") and "properties" not in schema


def _renumbered(value: str, number: int) -> str:
    tail = str(number)
    return value[: max(0, len(value) - len(tail))] + tail
