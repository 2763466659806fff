"""Names of tasks and queues: what is said on the wire, never derived from a module's path.

Every task has a queue of its own name, on Redis's default exchange (named exchanges drop messages silently after
a flush: findings/kombu-redis-drops-messages-after-a-flush.sh), so which worker does what is decided by `-Q` alone.
"""

from __future__ import annotations

from typing import Final

ACCEPT: Final = "overnight.accept"
ANSWER: Final = "overnight.answer"
MEASURE: Final = "overnight.measure"
PACK: Final = "overnight.pack"
SUBMIT: Final = "overnight.submit"
POLL: Final = "overnight.poll"
COLLECT: Final = "overnight.collect"
DELIVER: Final = "overnight.deliver"
WEBHOOKS: Final = "overnight.webhooks"
DIRECT: Final = "overnight.direct"
CATALOGS: Final = "overnight.catalogs"
RESCUE: Final = "overnight.rescue"

QUEUES: Final = (ACCEPT, ANSWER, MEASURE, PACK, SUBMIT, POLL, COLLECT, DELIVER, WEBHOOKS, DIRECT, CATALOGS, RESCUE)

STALE_S: Final = 300
"""A doorbell or tick that waited longer says nothing new. By the clocks of two machines, which may disagree by that."""

POLICY_KEY: Final = "overnight:policy"
"""Where the workers publish lanes, their limits and the known models (a JSON string)."""

HOST_POLICIES_KEY: Final = "overnight:policies"
"""What the workers of each host go by (a hash: host to a JSON object): hosts with other configurations are seen."""

WATCH_KEY: Final = "overnight:watch"
"""Where the sweep leaves what it saw: the alarms that are on (a JSON object; gone when nobody looks)."""

TOLD_KEY: Final = "overnight:told"
"""Of which kinds of alarms the operators' command has been told, and how many of each (a JSON object)."""

TELLING_KEY: Final = "overnight:telling"
"""There while a worker runs that command."""

WORKERS_KEY: Final = "overnight:workers"
"""The names of the workers (a set); each has shown that it lives, or is gone by now."""

WORKER_KEY: Final = "overnight:worker:{}"
"""Where a worker shows that it lives, and which queues it takes work from (a JSON object; gone when it stops)."""

PREFIX_KEY: Final = "overnight:prefix:{}"
"""Where a prefix lies, by its hash, for the workers to read it once (`prefix.py`)."""

TAKEN_OUT_KEY: Final = "overnight:taken-out:{}"
"""How many items an action has taken out of messages that wait to be accepted (a number; gone a week later)."""

REPLY_KEY: Final = "overnight:reply:{}"
"""The short-lived list on which one question is answered."""

LEDGER_POSITION_KEY: Final = "overnight:ledger"
"""Where the workers remember how far the ledger's log was: one that is set back is noticed (a JSON object)."""

ACKS_KEY: Final = "overnight:acks"
"""The list onto which callbacks push their acknowledgements (`acknowledgement.py`)."""

LIMITER_KEY: Final = "overnight:limiter:{}:{}"
"""Where the buckets of a workspace's pool of models are, which all workers share (`limiter/buckets.lua`)."""

LIMITER_POOLS_KEY: Final = "overnight:limiter"
"""The hash of all pools that were used: key to workspace and pool."""
