"""`python -m tests.explore`: search as far as you like, or without a part of a rule.

python -m tests.explore --faults 2                  every state that two faults can lead to
python -m tests.explore --faults 4 --depth 20       … but only 20 steps far
python -m tests.explore --faults 3 --kinds crash "late list" errors
python -m tests.explore --without R4-quiet          the shortest way to what goes wrong without it
"""

from __future__ import annotations

import argparse
import sys

from tests.explore.proofs import MISSED, NOT_MISSED
from tests.explore.rules import EVERY_FAULT, Bounds, Fault, Part
from tests.explore.search import search


def main() -> int:
    """Search as the command line says; 1 when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.explore", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--faults", type=int, help="how much goes wrong on one way (default: 1)")
    parser.add_argument("--kinds", nargs="+", type=Fault, choices=list(Fault), metavar="KIND", help=", ".join(Fault))
    parser.add_argument("--submissions", type=int, help="how often the items are sent at most")
    parser.add_argument("--wire", type=int, help="ticks that bytes may travel")
    parser.add_argument("--depth", type=int, help="steps from the start")
    parser.add_argument("--states", type=int, help="stop after so many")
    parser.add_argument("--without", nargs="+", type=Part, choices=list(Part), metavar="PART", help=", ".join(Part))
    given = parser.parse_args()
    without = frozenset(given.without or ())
    bounds = Bounds(faults=1, kinds=EVERY_FAULT)
    if len(without) == 1:
        bounds, _ = (MISSED | NOT_MISSED)[next(iter(without))]
    given_bounds = {
        name: value for name in ("faults", "submissions", "wire") if (value := getattr(given, name)) is not None
    }
    bounds = bounds._replace(without=without, **given_bounds)
    if given.kinds:
        bounds = bounds._replace(kinds=frozenset(given.kinds))
    for part in sorted(without):
        print(f"without {part}" + (f" ({part.rule.name}: {part.rule.value})" if part.rule else ""))
    explored = search(bounds, depth=given.depth, most_states=given.states)
    print(explored)
    return explored.wrong is not None


if __name__ == "__main__":
    sys.exit(main())
