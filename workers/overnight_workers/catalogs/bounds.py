"""Bounds of one rendering: no template takes a worker for good, or all of its memory, whatever its loops do.

Jinja2's sandbox bounds `range` alone: two loops in each other are ten thousand million steps. Here each turn of a loop
and each call of a macro is a step, and what makes numbers and texts larger looks at their size first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from jinja2 import nodes, pass_context
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer

from overnight_workers.catalogs.faults import BadRow

BOUNDS: Final = "bounds of this rendering"
"""Where they stand among a template's variables: no name that a template can write."""
MOST_STEPS: Final = 100_000
LONGEST_S: Final = 10.0
"""Looked at with each few steps: a step may be a filter over a long list."""
MOST_CHARACTERS: Final = 32_000_000
"""Of a prompt: no request takes more bytes."""
_MOST_BITS: Final = 1_000_000
"""Of a whole number."""
ITEM_BYTES: Final = 8
"""Of a list: an item takes the room of so many characters."""
PART_CHARACTERS: Final = 64
"""Of what is neither a text nor has parts, about."""
_LOOKS_EVERY: Final = 16
_STEP, _TURNS = "overnight_step", "overnight_turns"
JOINED: Final = "overnight_joined"
"""The filter that `~` becomes."""


class Bounds:
    """What one rendering has used so far."""

    __slots__ = ("_ends", "_steps")

    def __init__(self) -> None:
        self._steps, self._ends = 0, time.monotonic() + LONGEST_S

    def step(self) -> None:
        """One more turn of a loop, or call of a macro. Raises BadRow beyond the bounds."""
        self._steps += 1
        if self._steps > MOST_STEPS:
            raise BadRow(f"the template's loops and macros take more than {MOST_STEPS:,} steps for this row")
        if self._steps % _LOOKS_EVERY == 0 and time.monotonic() > self._ends:
            raise BadRow(f"the template takes more than {LONGEST_S:g} s for this row")


def whole(pieces: Iterable[str]) -> str:
    """The text of all pieces. Raises BadRow when it is longer than any prompt."""
    parts: list[str] = []
    characters = 0
    for piece in pieces:
        characters += len(piece)
        if characters > MOST_CHARACTERS:
            check_length(characters)
        parts.append(piece)
    return "".join(parts)


def check_length(characters: int) -> None:
    """Raise BadRow for more than any prompt has."""
    if characters > MOST_CHARACTERS:
        raise BadRow(f"the template makes a text or list of more than {MOST_CHARACTERS:,} characters of this row")


def size_of(value: object) -> int:
    """The characters of a value as text, about. Raises BadRow beyond the bounds, also of lists within lists."""
    size, waiting = 0, [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, (str, bytes)):
            size += len(part)
        elif isinstance(part, Mapping):
            waiting.extend((*part.keys(), *part.values()))
        elif isinstance(part, (list, tuple)):
            waiting.extend(part)
        size += PART_CHARACTERS
        check_length(size + len(waiting))
    return size


def check_bits(bits: int) -> None:
    """Raise BadRow for a whole number that is larger than any prompt needs."""
    if bits > _MOST_BITS:
        raise BadRow(f"the template makes a number of more than {_MOST_BITS:,} bits of this row")


def check_operands(operator: str, left: object, right: object) -> None:
    """Raise BadRow where `+`, `*` or `**` would make what no prompt needs, before it is made."""
    sizes = [_bytes_of(side) for side in (left, right) if isinstance(side, (str, bytes, list, tuple))]
    numbers = [side for side in (left, right) if isinstance(side, int)]
    if operator == "+" and len(sizes) > 1:
        check_length(sum(sizes))
    elif operator == "*" and sizes and numbers:
        check_length(sizes[0] * numbers[0])
    elif len(numbers) > 1:
        bits = [number.bit_length() for number in numbers]
        check_bits(bits[0] * max(numbers[1], 0) if operator == "**" else sum(bits))


def _bytes_of(side: str | bytes | list[object] | tuple[object, ...]) -> int:
    return len(side) * (ITEM_BYTES if isinstance(side, (list, tuple)) else 1)


class Bounded(NodeTransformer):
    """Makes the loops and macros of a template count their steps. Jinja2 looks for methods of these names."""

    def __init__(self) -> None:
        self.is_needed = False
        """The template has some of them, and is rendered with `Bounds`."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        """Each turn is a step, also one that the loop's condition leaves out."""
        self.generic_visit(node)
        self.is_needed = True
        node.iter = _filtered(node.iter, _TURNS)
        if node.recursive:  # its inner turns come by way of `loop(…)`
            node.body.insert(0, nodes.Output([_filtered(nodes.Const(""), _STEP)]))
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802
        """Each call is a step."""
        self.generic_visit(node)
        self.is_needed = True
        node.body.insert(0, nodes.Output([_filtered(nodes.Const(""), _STEP)]))
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        """What `~` joins has the length of a prompt at most."""
        self.generic_visit(node)
        return _filtered(nodes.List(node.nodes), JOINED)


def _filtered(node: nodes.Node, name: str) -> nodes.Filter:
    assert isinstance(node, nodes.Expr), "what a loop runs over, a text or a list"
    return nodes.Filter(node, name, [], [], None, None, lineno=getattr(node, "lineno", 1))


@pass_context
def _step(context: Context, value: str) -> str:
    context.parent[BOUNDS].step()
    return value


@pass_context
def _turns(context: Context, given: Iterable[object]) -> Iterator[object]:
    bounds: Bounds = context.parent[BOUNDS]
    for turn in given:
        bounds.step()
        yield turn


FILTERS: Final[dict[str, Callable[..., object]]] = {_STEP: _step, _TURNS: _turns}
"""What bounded templates call."""
