"""Restored: a ledger that was restored, copied or moved looks at everything at the API before it sends again (R11)."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Final

import orjson
import redis

from overnight_models import routes
from overnight_models.crash_points import reach
from overnight_models.ledger import deployment, workspaces
from overnight_models.ledger import poll as ledger
from overnight_models.ledger.poll import UnknownBatch
from overnight_workers import process
from overnight_workers.settings import settings
from overnight_workers.stages import protocol
from overnight_workers.stages.poll import unknown_batches
from overnight_workers.stages.poll.listing import LOOK_S, read_list
from overnight_workers.telemetry import logs

LONGEST_BATCH: Final = timedelta(hours=26)
"""What is older has ended: results that the ledger may have forgotten lie no further back, unless items still wait."""

log = logs.get(__name__)


def notice() -> None:
    """Ask whether this ledger lives where it did; on the beat, before anything is concluded from its rows."""
    timing = settings().timing
    # asked before the position is: another process may note a later one in between, which is no step back
    furthest_home, furthest = _furthest()
    with process.database().transaction() as connection:
        home, position = deployment.log_position(connection)
        moved = deployment.notice_move(
            connection,
            allowance_s=timing.create_timeout + timing.wire + timing.quiet,
            set_back=home == furthest_home and position < furthest,
        )
    _note_furthest(home, position)
    if moved is not None:
        log.error(
            "the ledger was restored or moved: nothing is sent before the API was looked at",
            why=moved.deployment.moved_why,
            batches_unclear=moved.unclear,
        )


def _furthest() -> tuple[str, int]:
    """How far whose log is known to have been. Redis remembers it, as long as Redis remembers."""
    reach("before the position is asked for")
    try:
        position = process.redis_client().get(routes.LEDGER_POSITION_KEY)
    except redis.RedisError:
        return "", 0
    noted = orjson.loads(position) if isinstance(position, bytes) else {}
    return str(noted.get("home", "")), int(noted.get("position", 0))


def _note_furthest(home: str, position: int) -> None:
    reach("before position")
    try:
        process.redis_client().set(routes.LEDGER_POSITION_KEY, orjson.dumps({"home": home, "position": position}))
    except redis.RedisError as error:
        log.warning("the ledger's position isn't noted", error=str(error))
    reach("after position")


def look(workspace: str, moved_at: datetime) -> str | None:
    """One look at a workspace's batches. What is ours is collected; when nothing is left, it is sent to again.

    Returns what of its list can't be read.

    Raises ApiUnavailable.
    """
    timing = settings().timing
    until = moved_at + timedelta(seconds=timing.create_timeout + timing.wire + timing.quiet)
    with process.database().transaction() as connection:
        oldest = deployment.oldest_unfinished(connection, workspace) or moved_at
        started_at = ledger.now(connection)
    since = min(oldest, moved_at - LONGEST_BATCH) - protocol.CLOCK_SKEW
    listing, listed = read_list(workspace, started_at, lambda ahead: since + ahead)
    since, latest = since + listing.api_clock_ahead, until + listing.api_clock_ahead + protocol.CLOCK_SKEW
    with process.database().transaction() as connection:
        ours = ledger.known_api_ids(connection, [batch.api_id for batch in listed])
        unknown = [
            UnknownBatch(batch.api_id, batch.items, batch.created_at, batch.ended_at)
            for batch in listed
            if batch.api_id not in ours and since <= batch.created_at <= latest
        ]
        ledger.note_unknown_batches(connection, workspace, unknown)
    unknown_batches.judge(workspace, time.monotonic() + LOOK_S)
    with process.database().transaction() as connection:
        known = {workspace.name: workspace.api_workspace_id for workspace in workspaces.workspaces(connection)}
        why = protocol.why_still_looking(
            listing,
            since=since,
            api_workspace_id=known.get(workspace),
            until=until,
            undecided=deployment.undecided(connection, workspace, latest),
        )
        done = why is None and deployment.looked(connection, workspace, moved_at)
    if done:
        log.warning("everything at the API was looked at: the workspace is sent to again", workspace=workspace)
    elif why is not None:
        log.info("the API is still looked at after a restore", workspace=workspace, why=why)
    return listing.odd and f"list of batches: {listing.odd}"
