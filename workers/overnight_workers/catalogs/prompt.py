"""The prompt: Jinja2, sandboxed and strict, compiled once.

A column is a variable, whatever its name: `items`, `keys` and `class` are columns, not methods. A null that reaches the
text refuses the row, unless the template says what to write instead: `{{ city or "unknown" }}`, `{% if city %}`.
Nothing that differs from night to night gets into a text: no clock, no random choice, no address of an object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, SupportsInt

from jinja2 import StrictUndefined, Template, TemplateError, Undefined, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.visitor import NodeTransformer

from overnight_workers.catalogs import bounds, cells, growth, texts
from overnight_workers.catalogs.faults import BadRow
from overnight_workers.catalogs.texts import Null

ROW: Final = "row"
VARIANT: Final = "variant"
_NOT_TWICE_ALIKE: Final = ("random", "pprint", "xmlattr", "urlize")
"""Filters that are taken away: the first differs each night, the others are for pages."""


class Row:
    """What `row` is in a template: its attributes are cells, and nothing else."""

    __slots__ = ("cells",)

    def __init__(self, cells_: Mapping[str, object]) -> None:
        self.cells = cells_


class _Environment(SandboxedEnvironment):
    """Names after a dot are columns and keys first; methods are never text. Nothing grows beyond its bounds."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        if operator != "%":
            bounds.check_operands(operator, left, right)
        elif isinstance(left, (str, bytes)):
            right = growth.written(right)
            growth.of_percent(left, right)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Context, called: object, *args: object, **named: object) -> object:
        given = list(args)
        growth.check_method(called, given, named)
        return super().call(context, called, *given, **named)

    def wrap_str_format(self, value: object) -> Callable[..., str] | None:
        """`format` and `format_map` of a text."""
        if super().wrap_str_format(value) is None:
            return None
        text: str = value.__self__  # type: ignore[attr-defined]
        if value.__name__ == "format_map":  # type: ignore[attr-defined]
            return lambda named: growth.formatted(self, text, (), named)
        return lambda *values, **named: growth.formatted(self, text, values, named)

    def getattr(self, obj: object, attribute: str) -> object:
        if type(obj) is Row:
            return self._cell(obj, attribute)
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        return self._cell(obj, argument) if type(obj) is Row else super().getitem(obj, argument)

    def _cell(self, row: Row, name: object) -> object:
        if isinstance(name, str) and name in row.cells:
            return row.cells[name]
        return self.undefined(f"there is no column {name!r}", name=str(name))


class BadTemplate(Exception):
    """A template can't be used. line: of the template, counted from 1."""

    def __init__(self, why: str, line: int) -> None:
        self.line = line
        super().__init__(why)


class Text:
    """One template, compiled, and the columns that it uses."""

    def __init__(self, source: str) -> None:
        """Raises BadTemplate."""
        self.columns: Mapping[str, int]
        """The columns that it uses, each with the first line that it stands on."""
        self.variant_words: Mapping[str, int]
        """What it takes of `variant`, likewise."""
        try:
            bounded = bounds.Bounded()
            tree = bounded.visit(_WithoutSelf().visit(_ENVIRONMENT.parse(source)))
            self._has_steps = bounded.is_needed
            self.columns, self.variant_words = _used(tree)
            self._template: Template = _ENVIRONMENT.from_string(tree)
            self._globals = dict(self._template.globals)
        except TemplateError as error:
            raise BadTemplate(str(error.message), getattr(error, "lineno", None) or 1) from error

    def render(self, cells_: Mapping[str, object], variant: Mapping[str, str]) -> str:
        """The text of a row. cells_: values of the columns that it uses, `Null` where there is none. Raises BadRow."""
        try:
            # as Template.render does it, which copies all of this twice more for each row
            values = {**self._globals, **cells_, ROW: Row(cells_), VARIANT: variant}
            if self._has_steps:
                values[bounds.BOUNDS] = bounds.Bounds()
            return bounds.whole(self._template.root_render_func(self._template.new_context(values, shared=True)))
        except BadRow:
            raise
        except SecurityError as error:
            raise BadRow(f"the template does what isn't allowed: {error}") from error
        except Exception as error:  # whatever an expression does with a cell: this row's fault only
            raise BadRow(f"the template fails: {type(error).__name__}: {error}") from error


class _WithoutSelf(NodeTransformer):
    """`self` means the template to Jinja2; here it is a column."""

    def visit_Name(self, node: nodes.Name) -> nodes.Node:  # noqa: N802  # Jinja2 looks for this name
        if node.name != "self" or node.ctx != "load":
            return node
        row = nodes.Name(ROW, "load", lineno=node.lineno)
        return nodes.Getattr(row, "self", "load", lineno=node.lineno)


def _used(tree: nodes.Template) -> tuple[dict[str, int], dict[str, int]]:
    """The columns and the variant's words that a template uses, each with its line. Raises BadTemplate."""
    if next(iter(meta.find_referenced_templates(tree)), "") != "":
        raise BadTemplate("include, import and extends aren't available: a catalog is declared in one file", 1)
    columns: dict[str, int] = {}
    words: dict[str, int] = {}
    free = meta.find_undeclared_variables(tree)
    whole = {id(node) for node in tree.find_all(nodes.Name) if node.name in (ROW, VARIANT)}
    named: list[nodes.Getattr | nodes.Getitem] = [*tree.find_all(nodes.Getattr), *tree.find_all(nodes.Getitem)]
    for access in named:
        holder, name = access.node, _name_of(access)
        if isinstance(holder, nodes.Name) and holder.name in (ROW, VARIANT) and name is not None:
            whole.discard(id(holder))
            (columns if holder.name == ROW else words).setdefault(name, access.lineno)
    for node in tree.find_all(nodes.Name):
        if id(node) in whole:
            raise BadTemplate(
                f"`{node.name}` has to be followed by a name, as {node.name}.city or {node.name}['a name']:"
                " what a prompt uses is what is compared from night to night",
                node.lineno,
            )
        if node.name in free and node.name not in (ROW, VARIANT) and node.name not in _ENVIRONMENT.globals:
            columns.setdefault(node.name, node.lineno)
    return columns, words


def _name_of(node: nodes.Getattr | nodes.Getitem) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else None


def _default(value: object, default: object = "", boolean: bool = False) -> object:
    """Jinja2's, for which a null cell isn't there either."""
    return default if isinstance(value, (Undefined, Null)) or (boolean and not value) else value


_ABSENT: Final = object()


def _number(kind: Callable[[Any], object], name: str) -> Callable[..., object]:
    """Jinja2's filter of that name, which makes 0 of a text that is no number, and of null."""

    def read(value: object, default: object = _ABSENT) -> object:
        if isinstance(value, Undefined) or (isinstance(value, Null) and default is _ABSENT):
            return str(value)  # which raises
        try:
            return kind(value)
        except (TypeError, ValueError, ArithmeticError):
            if default is not _ABSENT:
                return default
            raise BadRow(f"{value!r} is no number: say in the template what it is then, as | {name}(0)") from None

    return read


def _whole(value: SupportsInt | str) -> int:
    """As Jinja2 has it, without a float between: what is behind the point is left out."""
    return int(cells.decimal_of(value.strip()) if isinstance(value, str) else value)


def _environment() -> _Environment:
    environment = _Environment(
        undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True, finalize=texts.text_of, cache_size=0
    )
    for name in _NOT_TWICE_ALIKE:
        environment.filters.pop(name, None)
    for name in ("lipsum", "cycler", "joiner", "dict"):
        environment.globals.pop(name, None)
    environment.filters |= (
        {"tojson": texts.json_of, "default": _default, "d": _default} | bounds.FILTERS | growth.FILTERS
    )
    # findings/jinja-int-and-float-make-zero-of-any-text.sh, findings/jinja-truncate-leaves-five-characters-more.sh
    environment.filters |= {"int": _number(_whole, "int"), "float": _number(float, "float")}
    environment.policies["truncate.leeway"] = 0
    environment.tests["none"] = lambda value: value is None or isinstance(value, Null)
    return environment


_ENVIRONMENT: Final = _environment()
