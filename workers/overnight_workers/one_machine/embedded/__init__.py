"""PostgreSQL and Valkey without installing anything: servers in a data directory, run by the supervisor."""

from overnight_workers.one_machine.embedded.errors import EmbeddedServerError
from overnight_workers.one_machine.embedded.postgres import EmbeddedPostgres
from overnight_workers.one_machine.embedded.redis import EmbeddedRedis

__all__ = ["EmbeddedPostgres", "EmbeddedRedis", "EmbeddedServerError"]
