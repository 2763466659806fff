"""Between what a share lies, for few rows and for none of them too."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Final

CONFIDENCE: Final = 0.95
Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The interval of 95% of a share, 0 to 1, by Wilson (1927, JASA 22, 209-212); everything where there is no row."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = successes / n, Z * Z / n
    middle = (share + z2 / 2) / (1 + z2)
    half = Z * math.sqrt(share * (1 - share) / n + z2 / (4 * n)) / (1 + z2)
    return max(middle - half, 0.0), min(middle + half, 1.0)
