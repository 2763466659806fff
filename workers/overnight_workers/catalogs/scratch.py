"""Where rows of catalogs lie on disk for a while: gone with whoever made it, or, after a kill, with the next one."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

from overnight_workers.on_disk import own_directory

_PREFIX: Final = "overnight-catalog-"


def scratch() -> AbstractContextManager[Path]:
    """An empty directory of this process among the temporary ones."""
    return own_directory(Path(tempfile.gettempdir()), _PREFIX)
