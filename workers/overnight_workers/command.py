"""The `overnight` command's first step: in a base install, which has no command line, it says what is missing.

What a product needs of it there works: the migration that makes its inbox, and the schemas of what crosses.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

_ASKED_OFTEN = ("doctor", "health", "status")
"""Commands that scripts and probes run every minute."""


def _leave(code: int) -> NoReturn:
    """End at once: everything is closed, and taking all modules apart costs a fifth of a probe."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main(leave: Callable[[int], NoReturn] = _leave) -> None:
    """Run the command line, where its packages are installed; without it what is asked every minute.

    leave: ends the process of what is asked every minute; `sys.exit` for whoever calls this and stays.
    """
    try:
        if sys.argv[1:2] and sys.argv[1] in _ASKED_OFTEN:
            gc.disable()  # what is imported stays
            code = _short_way(sys.argv[1], sys.argv[2:])
            if code is not None:
                leave(code)
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
            f"This install is a product's: it has what enqueues work, and no command line (no module {error.name!r}),"
            " but for `overnight inbox sql|alembic|django` and `overnight schema NAME`."
            " Install 'overnight[workers]' to run Overnight's services, or 'overnight[all]' for everything."
        )
    run()


def _short_way(command: str, words: Sequence[str]) -> int | None:
    """Run what is asked often; the exit code. None: these words are for the whole command line."""
    if command == "status":
        from overnight_workers.operators import status_page

        return status_page.main(words)
    from overnight_workers.operators import checkup_page

    return checkup_page.main(command, words)


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
