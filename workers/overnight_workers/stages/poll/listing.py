"""The API's list of batches, as far back as it is asked for: what a list that counts must be (R5)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from overnight_workers import api
from overnight_workers.stages.protocol import Listing


def read_list(
    workspace: str, started_at: datetime, back_to: Callable[[timedelta], datetime]
) -> tuple[Listing, list[api.Listed]]:
    """One look at a workspace's batches, newest first. Raises ApiUnavailable.

    started_at: by the database's clock, read before.
    back_to: how far back it must go by the API's clock, given how far that one is ahead.
    """
    page = api.list_batches(workspace)
    ahead = api.ahead(page, started_at)
    oldest = back_to(ahead)
    listed = list(page.batches)
    while page.more and page.batches and page.batches[-1].created_at >= oldest:
        page = api.list_batches(workspace, after_id=page.batches[-1].api_id)
        listed += page.batches
    # an empty page that says there is more proves nothing
    reached = (listed[-1].created_at if listed else page.date) if page.more else None
    return Listing(started_at, ahead, page.api_workspace_id, reached), listed
