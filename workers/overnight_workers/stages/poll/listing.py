"""The API's list of batches, as far back as it is asked for: what a list that counts must be (R5)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from overnight_workers.anthropic_api import api, moments
from overnight_workers.stages import protocol
from overnight_workers.stages.protocol import Listing

LOOK_S: Final = 60.0
"""One look at one workspace begins no call after that: others wait for it."""
_MOST_PAGES: Final = 200


def read_list(
    workspace: str, started_at: datetime, back_to: Callable[[timedelta], datetime]
) -> tuple[Listing, list[api.Listed]]:
    """One look at a workspace's batches, newest first, bounded in pages and time. Raises ApiUnavailable.

    started_at: by the database's clock, read before.
    back_to: how far back it must go by the API's clock, given how far that one is ahead.
    """
    stop_at = time.monotonic() + LOOK_S
    page = api.list_batches(workspace)
    ahead = moments.ahead(page.date, started_at)
    oldest = back_to(ahead)
    listed, odd = list(page.batches), page.odd
    seen = {batch.api_id for batch in listed}
    pages = 1
    while page.more and page.batches and listed[-1].created_at >= oldest:
        if pages == _MOST_PAGES or time.monotonic() > stop_at:
            odd = odd or f"it has more than the {pages} pages that one look took"
            break
        page = api.list_batches(workspace, after_id=listed[-1].api_id)
        new = [batch for batch in page.batches if batch.api_id not in seen]
        odd = odd or page.odd
        if page.batches and not new:
            odd = "it repeats its page: `after_id` gets lost on the way to the API"
            break
        seen.update(batch.api_id for batch in new)
        listed += new
        pages += 1
    if any(later.created_at - newer.created_at > protocol.CLOCK_SKEW for newer, later in pairwise(listed)):
        odd = odd or "it isn't in the order of creation"
    # an empty page that says there is more proves nothing
    reached = (listed[-1].created_at if listed else started_at + ahead) if page.more else None
    return Listing(started_at, ahead, page.api_workspace_id, reached, odd), listed
