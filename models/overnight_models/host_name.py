"""Whether a text can be a host: what can't may be the rest of a password, which no error may show."""

from __future__ import annotations

import re
from typing import Final

_HOST: Final = re.compile(r"[\w.-]*|\[?[0-9a-fA-F:.]+(?:%[\w.-]+)?\]?|/[\w./-]*")


def is_host(text: str) -> bool:
    """Whether it can be a name, an address or the directory of a socket; "" too.

    A password that isn't percent-encoded ends at an `@` or `/` of its own: what follows is read as the host.
    """
    return _HOST.fullmatch(text) is not None
