"""The `overnight` command's first step: in a base install, which has no command line, it says what is missing.

What a product needs of it there works: the migration that makes its inbox, and the schemas of what crosses.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

_PROBES = ("doctor", "health")


def main() -> None:
    """Run the command line, where its packages are installed; probes without it, since they run every minute."""
    try:
        if sys.argv[1:2] and sys.argv[1] in _PROBES:
            gc.disable()  # what is imported stays
            from overnight_workers.operators.checkup_page import main as probe

            code = probe(sys.argv[1], sys.argv[2:])
            if code is not None:
                _leave(code)
            gc.enable()
        # imports leave hardly any garbage, and looking for it took a sixth of a command's time
        gc.set_threshold(100_000, 20, 50)
        from overnight_workers.cli import main as run
    except ModuleNotFoundError as error:
        if str(error.name).partition(".")[0] in ("overnight_models", "overnight_producers", "overnight_workers"):
            raise
        if _is_printed(sys.argv[1:]):
            return
        sys.exit(
            f"This install is a product's: it has what enqueues work, and no command line (no module {error.name!r})."
            " Install 'overnight[workers]' to run Overnight's services, or 'overnight[all]' for everything."
        )
    run()


def _is_printed(words: Sequence[str]) -> bool:
    """Print what needs no more than the base install. False: the words are another command's."""
    if words[:1] == ["schema"]:
        from overnight_workers.base_install import schema_printing

        schema_printing.main(words[1:])
        return True
    if words[:1] == ["inbox"]:
        from overnight_workers.base_install import inbox_printing

        if words[1:2] and words[1] in inbox_printing.TOOLS:
            inbox_printing.main(words[1:])
            return True
    return False


def _leave(code: int) -> NoReturn:
    """End at once: everything is closed, and taking all modules apart costs a fifth of a probe."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
