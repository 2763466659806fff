"""The kinds of alarm: what each means, what Overnight does by itself, and what a person does.

The table in workers/docs/alarms.md is the same. When an alarm is on: `alarms.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from overnight_workers.operators.workers import MISSING


@dataclass(frozen=True)
class Kind:
    """One kind of alarm."""

    means: str
    does: str
    """What Overnight does by itself."""
    do: str
    """What a person does."""
    urgent: bool = True


KINDS: Final[Mapping[str, Kind]] = {
    "redis away": Kind(
        "Overnight's own Redis doesn't answer, or doesn't let us in",
        "keeps everything in Postgres and dials again; products can't enqueue, nothing moves",
        "start Redis, or correct OVERNIGHT_REDIS_URL; `overnight doctor` says which of them",
    ),
    "redis refuses writes": Kind(
        "Overnight's own Redis answers and takes no writes (full, a replica, or it can't save its snapshot), soon takes"
        " none, or evicts keys",
        "keeps everything in Postgres; workers stay and try again, up to every 30 s; products can't enqueue, little"
        " or nothing moves",
        "make room on its disk or in its memory, or let OVERNIGHT_REDIS_URL lead to the primary: it says which of them",
    ),
    MISSING: Kind(
        "no worker that lives takes work from a queue, or one has taken messages and begins none",
        "goes on with the other stages; what needs that queue waits",
        "start a worker for each queue that it names (-Q), or all of them; one that begins none is frozen: start it"
        " anew",
    ),
    "ledger read-only": Kind(
        "Postgres answers and takes no writes: it is a standby, or a primary that was replaced and stayed up",
        "nothing moves; whoever writes dials again each time, and goes on at the server that takes writes",
        "promote a standby, or let OVERNIGHT_DATABASE_URL lead to the primary; name all hosts in it",
    ),
    "answers damaged": Kind(
        "a group of answers in Postgres isn't what was written there, says its checksum, its row is gone, or the key"
        " that it is encrypted by",
        "goes on with everything else; an outcome whose answer can't be read isn't delivered as if it were whole: its"
        " delivery is tried again, then dead; asked for, it says so. Reads the group again every minute",
        "put the encryption key back where it says that one isn't there. Else look after Postgres' disk; restore the"
        " group's row from a backup (the alarm names table and id), then `overnight replay`",
    ),
    "sweep missing": Kind(
        "nothing has swept for too long: no beat, no worker for overnight.rescue, or no Redis between them",
        "nothing: without the sweep lost doorbells aren't rung again, and batches aren't listed",
        "start `celery -A overnight_workers.app beat` and a worker with -Q overnight.rescue; kill a frozen one",
    ),
    "stage silent": Kind(
        "there is work for a stage, and no worker of it has run for too long",
        "rings for it at every sweep",
        "start a worker that listens to its queue (-Q); one that is there and silent is frozen: kill it",
    ),
    "ledger moved": Kind(
        "the database was restored, failed over or set back: it may have forgotten what was sent",
        "sends nothing; reads every batch at the API whose token may be its own, collects those, then goes on",
        "wait; `overnight resume --all --anyway` goes on without looking (what is sent again is paid twice)",
    ),
    "copy": Kind(
        "the ledger lives in another database than it did: its original may still run",
        "sends nothing",
        "if the original is gone for good: `overnight resume --all`; if not, stop these workers",
    ),
    "workspace held": Kind(
        "money or permission: 401, 402, 403, 404, a spend limit, an organization on hold, no key",
        "items wait, nothing counts as an attempt; tried again after 1 minute, then less and less often, up to hourly; "
        "what only a setting at Anthropic ends is not tried before `overnight resume --all`",
        "mend it at Anthropic; `overnight resume --all` tries at once",
    ),
    "list unread": Kind(
        "the API's list of batches can't be read, or not all of it: no answer, odd rows, no Date, a repeated page",
        "goes on looking, after the other workspaces; takes what can be read, and believes nothing lost by such a list",
        "see what it says: mend `base_url` or the gateway between, or ask Anthropic",
    ),
    "stage failing": Kind(
        "a stage fails for a reason of our own: no room on Postgres' disk or in the temporary directory, an encryption"
        " key that isn't there, or a defect",
        "gives back with the reason what it had taken, goes on with the rest, and tries again, up to every 5 minutes;"
        " what fails is said by its name until it has gone well, whatever else goes well",
        "see what it says: make room on Postgres' disk, or in the directory that TMPDIR names (a body has up to 256 MB)"
        "; put the encryption key back; for anything else the worker's log has more: report it",
    ),
    "batch unclear": Kind(
        "a create had no usable answer, and for more than a day no list has settled it",
        "looks at every poll; sends nothing of it again",
        "`overnight batches --unclear` says why; `overnight decide BATCH --adopt ID` or `--never-created`",
    ),
    "batch overdue": Kind(
        "a batch runs longer than the API's 24 hours",
        "goes on looking; its items wait for it",
        "ask Anthropic; `overnight decide BATCH --gone` fails its items",
    ),
    "results unread": Kind(
        "a batch ended and its results can't be read, or have fewer lines than requests",
        "reads again, with pauses of up to an hour; after `missing_for` (7 days) the missing items fail as `given_up`",
        "see why in `overnight batches`; is a worker listening to overnight.collect?",
    ),
    "results aging": Kind(
        "results are let go by the API 29 days after their batch was created, and these aren't recorded",
        "goes on reading",
        "mend what keeps them from being read: afterwards they are lost, and paid",
    ),
    "deliveries dead": Kind(
        "a callback's queue turned them down, its broker was away for too long, or the callback never acknowledged",
        "keeps them; a late acknowledgement still counts",
        "mend what their `error` says, then `overnight replay` (by `--queue`, `--lane`, `--run`, `--key`, `--since`)",
    ),
    "broker away": Kind(
        "a product's broker doesn't answer, takes no writes or no password, or isn't in the configuration",
        "its deliveries wait, no try is counted; looks again every minute; dead after the lane's `deliver_for`",
        "mend the broker, or `[brokers.NAME]`: deliveries go on by themselves",
    ),
    "relay behind": Kind(
        "what products committed in their own databases isn't taken on: no relay runs, it can't reach that database, or"
        " it is too slow",
        "keeps it where it is, in the product's inbox, and tries again every few seconds",
        "is `overnight relay NAME` running? Mend what it says of the database; where messages only come faster than"
        " they go, start another one",
    ),
    "messages put aside": Kind(
        "messages that products committed in their own databases can't be taken as they are",
        "leaves them in the inbox with the reason, and takes on the others",
        "`overnight inbox aside NAME` says why; mend it, then `overnight inbox retry NAME`, or `overnight inbox drop"
        " NAME`",
    ),
    "catalog neglected": Kind(
        "the last time of a schedule came to nothing: its run asks, or stopped by itself, as when its file can't be"
        " used",
        "waits with a run that asks; begins the next run at its time",
        "`overnight schedules` and `overnight runs show RUN` say why: `overnight runs approve RUN`, or mend the file;"
        " to be left alone, `overnight schedules pause NAME`",
        urgent=False,
    ),
    "run waiting": Kind(
        "a run of a catalog can't go on for a quarter of an hour, for want of its sink, its source or a setting; or it"
        " asks for an hour, and nobody answers",
        "tries again at every sweep; keeps what came, and pays for nothing again; no other run of the catalog begins"
        " meanwhile",
        "`overnight runs` says for what it waits: make room, unlock the table, let the file be written to its end, give"
        " the workers what they lack; or `overnight runs approve RUN`; `overnight runs stop RUN` ends it",
        urgent=False,
    ),
    "run late": Kind(
        "a run of a catalog will likely not be done by its `finish_by`, or isn't done though that is over",
        "looks again every minute; goes on, and publishes what comes when it comes",
        '`overnight runs show RUN` says what isn\'t back, and since when; `road = "by_deadline"` in its lane buys in'
        " real time what would be late; a run that asks: `overnight runs approve RUN`; a paused lane or a budget that"
        " holds its rows: let them go on; `overnight runs stop RUN` ends it",
        urgent=False,
    ),
    "webhook away": Kind(
        "a product's endpoint takes no webhooks: no answer, an error each time, no secret, or a name that leads where"
        " webhooks don't go",
        "its deliveries wait; one is tried every minute at most, or when it asked to be; dead after `deliver_for`",
        "mend what it says, at the endpoint or in `[webhooks.NAME]`; `overnight webhooks test NAME` says more",
    ),
    "webhook gone": Kind(
        "a product's endpoint answered 410: it is gone for good",
        "sends it nothing more; its deliveries wait",
        "put its new URL into `[webhooks.NAME]`, start the workers again, then `overnight webhooks resume NAME`",
    ),
    "bodies unreadable": Kind(
        "a group of bodies in Postgres isn't what was written there, says its checksum, its row is gone, or the key"
        " that it is encrypted by",
        "holds the items whose requests lie there; all others go on. They go on by themselves when it can be read",
        "put the encryption key back where it says that one isn't there; else restore the row that it names from a"
        " backup (backups.md); `overnight items --state held` has the items, and"
        " `overnight cancel` gives them up; look after the disk",
    ),
    "budget stuck": Kind(
        "a budget can't take items: alone they need more than its cap, their model has no price, or they have no bound"
        " and it is strict",
        "holds them; they go on by themselves when it is raised, there is a price, or it isn't strict any more",
        "`overnight budget` says how much they need; put the price into OVERNIGHT_PRICES; images, documents and tools"
        " need `overnight budget … --estimated`",
    ),
    "lane unknown": Kind(
        "items wait in a lane that the policy in force doesn't have: the workers' overnight.toml",
        "keeps them",
        "put the lane back into the overnight.toml of that host, and start its workers again",
    ),
    "deadlines at risk": Kind(
        "deadlines are over, or will be within a minute, before an answer comes",
        "sends what it may in real time, as fast as the account's limits allow; each item says why it is late",
        "`overnight items --late`: is a worker listening to overnight.direct? Raise the account's limits, or "
        '`deadline_confidence`; a lane of batches needs `road = "by_deadline"`',
    ),
    "rate limited for long": Kind(
        "items that go in real time have waited for the account's rate limit again and again for a quarter of an hour",
        "sends as fast as the limit allows, the earliest deadline first",
        "ask Anthropic for a higher tier, give work that can wait to a lane of batches, or use another workspace",
        urgent=False,
    ),
    "over budget": Kind(
        "a budget of a lane, a tenant or a run has no room for items that wait",
        "holds them; they go on by themselves: it is raised, less is billed than reserved, or its next period begins",
        "`overnight budget` shows what is left: wait, or raise it",
        urgent=False,
    ),
    "waiting overdue": Kind(
        "items wait longer than their lane's `max_wait`",
        "rings for pack at every sweep; prompts that may be too long are counted first, at the account's rate",
        "is a beat running, and a worker for overnight.pack and overnight.measure? `overnight doctor`",
        urgent=False,
    ),
    "other policy": Kind(
        "whoever looks (a command, Flower) reads another overnight.toml than the workers, and lacks lanes of theirs",
        "works by the policy in force; what is shown here of those lanes is by the defaults",
        "run it in the directory of the workers' overnight.toml, or set OVERNIGHT_CONFIG to it",
        urgent=False,
    ),
    "queue full": Kind(
        "batches wait because the API's queue has as many requests as the account may have there",
        "sends them as others end",
        "raise `queue_limit` if the account's tier allows more",
        urgent=False,
    ),
    "product full": Kind(
        "a product's queue has `max_queue` messages, or its Redis is near its limit, and none was taken for long",
        "its deliveries wait, no try is counted; dead after the lane's `deliver_for`",
        "is a worker listening to that queue? Else it may be mistyped in the callback",
        urgent=False,
    ),
    "queue unread": Kind(
        "outcomes lie in a product's queue, and nobody has taken the oldest for more than ten minutes",
        "goes on delivering until the queue has `max_queue` messages",
        "start a worker that listens to that queue (-Q); where one does, its Celery may have a `global_keyprefix`: say"
        " it as the broker's `key_prefix`; else the queue may be mistyped in the callback, or its broker",
        urgent=False,
    ),
    "caching given up": Kind(
        "a lane's prefixes were read from the cache too seldom for what it costs to write them",
        "leaves them uncached, or lets none go ahead; tries again when what it measured is a week old",
        "nothing; larger batches of one prefix are read more often",
        urgent=False,
    ),
    "lane paused": Kind(
        "somebody ran `overnight pause`, or everything in it was rejected in the same words",
        "items wait; open batches go on",
        "mend what the reason says, then `overnight resume LANE`: rejected batches are tried whole",
        urgent=False,
    ),
    "paid twice": Kind(
        "an answer came for an item that had one: see *the honest bound*",
        "bills it, shows it, drops the second answer",
        "nothing; if it repeats, raise `quiet`, and ask whether something on the way to the API repeats calls",
        urgent=False,
    ),
}


@dataclass(frozen=True)
class Alarm:
    """One alarm that is on."""

    kind: str
    text: str
    """One sentence: what, since when, why."""
    lane: str | None = None
    """The lane that it is about, where it is about one."""
    batch_id: int | None = None
    """The batch that it is about, where it is about one."""
    name: str | None = None
    """The webhook or the relay that it is about, where it is about one."""
    advice: str = ""
    """What a person does in this case; empty: what its kind says."""

    @property
    def urgent(self) -> bool:
        """Whether somebody should be woken."""
        return KINDS[self.kind].urgent

    @property
    def do(self) -> str:
        """What a person does."""
        return self.advice or KINDS[self.kind].do


_BY_CAUSE: Final[Mapping[str, str]] = {
    "NoKey: ": "put the encryption key back that it names, for every worker; `overnight doctor` says which can't be"
    " read. What waits for it goes on by itself",
    "DatabaseFull: ": "make room on Postgres' disk: it goes on by itself",
    "No space left on device": "make room in the directory that TMPDIR names (a body has up to 256 MB)",
}
"""What to do about a stage that fails, by what its reason holds."""


def against_failure(why: str) -> str:
    """What to do about a stage that fails for this reason; empty: nothing else than for any."""
    return next((do for cause, do in _BY_CAUSE.items() if cause in why), "")
