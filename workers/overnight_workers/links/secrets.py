"""The secrets of links, as their source has them now: they may be replaced while workers run."""

from __future__ import annotations

from overnight_models.errors import BadSettings
from overnight_models.wire.signature import Secret, read_secrets
from overnight_workers.configuration.key_sources import NoKey
from overnight_workers.configuration.link_settings import secrets_fault
from overnight_workers.held import held
from overnight_workers.keys import key_reading
from overnight_workers.keys.key_reading import Kept
from overnight_workers.settings import settings


@held
def _kept() -> Kept:
    return Kept()


def current() -> tuple[Secret, ...]:
    """The secrets of `[links]`, the one that signs first. Raises BadSettings that says why there are none."""
    source = settings().links.secrets
    if source is None:
        raise BadSettings(["there is no [links] with `url` and `secrets`: see workers/docs/webhooks.md"])
    kept = _kept()
    with kept.lock:
        try:
            return read_secrets(key_reading.current(source, kept, secrets_fault, links="secrets"))
        except NoKey as error:
            raise BadSettings([f"[links] secrets: {error}"]) from None
