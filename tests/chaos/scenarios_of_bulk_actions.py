"""What operators do to many items at once, by a filter: whoever does it is killed at every point."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from overnight_models.ledger.deliver.replay import Replayed
from overnight_models.ledger.operators.actions import By
from overnight_models.ledger.operators.item_filter import ItemFilter
from overnight_models.request.prefix import Prefix
from overnight_workers.operators import acting, purging
from overnight_workers.operators.preview import Preview
from overnight_workers.stages import api_deletions
from overnight_workers.stages.collect.collect import collect
from overnight_workers.stages.deliver.deliver import deliver
from overnight_workers.stages.pack.pack import pack
from overnight_workers.stages.poll.poll import poll
from overnight_workers.stages.rescue import sweep
from overnight_workers.stages.submit.submit import submit
from tests.chaos.scenario import DONE, ROUND, Scenario
from tests.chaos.steps import Step, a_budget, message, one, pauses_are_over, quiet_is_over, tasks
from tests.driving import Service, put_prefix
from tests.service.ledger import Json

_ANN: Final = By("ann", reason="chaos")
_CONTRACT: Final = Prefix.of({"system": "This is the contract of acme alone. " * 200})
_NOT_AS_SAID: Final = """
WITH said AS (SELECT coalesce(sum(done), 0)::bigint AS n FROM action WHERE name = '{name}')
SELECT said.n AS said, done.n AS done FROM said, ({done}) AS done (n) WHERE said.n <> done.n
"""


def everything_is_over(service: Service) -> None:
    """Each item has its end, whoever died: what is unclear is found or given up, and the filter sees what failed."""
    for _ in range(30):
        quiet_is_over(service)
        pauses_are_over(service)
        for stage in (sweep, pack, submit, poll, collect, deliver):
            stage()
        if not service.ledger.fetch_all("SELECT FROM item WHERE state NOT IN ('succeeded', 'failed', 'redone')"):
            return
    raise AssertionError("items don't come to their end")


def command(preview: Callable[[], Preview]) -> Step:
    """As a command of `overnight`: said, begun and done; again after a death it goes on with what it had begun."""

    def act(service: Service) -> None:
        said = preview()
        unfinished = service.ledger.fetch_all("SELECT FROM action WHERE name = %s AND ended_at IS NULL", said.name)
        if said.items or unfinished:
            acting.finish(acting.begin(said, _ANN).id)

    return act


def button(preview: Callable[[], Preview]) -> Step:
    """As in Flower: it begins, and the sweep does it."""

    def begin(_: Service) -> None:
        said = preview()
        if said.items:
            acting.begin(said, _ANN)

    return begin


def nobody_is_at_it(service: Service) -> None:
    """Whoever began an action, or ended one, took no step for a minute: it is the sweep's."""
    service.ledger.execute("UPDATE action SET stepped_at = stepped_at - interval '1 min' WHERE ended_at IS NULL")
    service.ledger.execute("UPDATE action SET ended_at = ended_at - interval '1 min' WHERE ended_at IS NOT NULL")


def as_said(name: str, done: str) -> Step:
    """What the actions of this name say that they have done is what was done. done: a query that counts it."""

    def check(service: Service) -> None:
        assert service.ledger.fetch_all(_NOT_AS_SAID.format(name=name, done=done)) == []

    return check


def _redo_all() -> Preview:
    return acting.preview_redo(ItemFilter(lane="default", problem="any"))


def _cancel_all() -> Preview:
    return acting.preview_cancel(ItemFilter(lane="default"))


def _replay_all() -> Preview:
    return acting.preview_replay(Replayed("delivered", lane="default"))


def _purge_acme() -> Preview:
    wanted = purging.of(ItemFilter(tenant="acme"), cancel=True, keys=False, shared_batches=True)
    return purging.preview_purge(wanted)


def theirs(key: str, **more: Any) -> Callable[[], Json]:
    """An item of the tenant that is purged: nobody is told of it."""
    return one(key, told=None, tenant="acme", **more)


def their_contract(service: Service) -> None:
    """The prefix of their items, as their product leaves it in Redis."""
    put_prefix(service, _CONTRACT)


def nothing_of_theirs_is_in_redis(service: Service) -> None:
    """Neither their prefix nor a message."""
    assert service.ledger.fetch_all("SELECT FROM prefix") == []
    assert service.ledger.fetch_all("SELECT FROM action WHERE removed LIKE '%%prefix_hashes%%'") == []


BULK_ACTIONS: Final = (
    Scenario(
        "redone by a filter",
        (
            a_budget,
            message(1, one("a", fault="refused:1"), one("b", fault="refused:1"), one("c")),
            everything_is_over,
            command(_redo_all),
            as_said("redo", "SELECT count(*) FROM redo"),
            *ROUND,
        ),
        dict.fromkeys("abc", DONE),
        redone=2,
        shows="SELECT 1 FROM redo HAVING count(*) = 2",
    ),
    Scenario(
        "redone and replayed by a button",
        (
            message(1, one("a", fault="refused:1"), one("b")),
            everything_is_over,
            button(_redo_all),
            nobody_is_at_it,
            *tasks(sweep),
            as_said("redo", "SELECT count(*) FROM redo"),
            *ROUND,
            button(_replay_all),
            nobody_is_at_it,
            *tasks(sweep, deliver, sweep),
        ),
        dict.fromkeys("ab", DONE),
        redone=1,
        shows="SELECT 1 FROM every_delivery WHERE generation > 0",
    ),
    Scenario(
        "canceled by a filter",
        (
            a_budget,
            message(1, one("a")),
            *tasks(pack, submit),
            message(2, one("b")),
            *tasks(pack),
            message(3, one("c")),
            command(_cancel_all),
            as_said("cancel", "SELECT count(*) FROM item WHERE cancel_wanted"),
            *tasks(poll, collect, deliver, submit, sweep),
            message(4, one("d")),
            *ROUND,
        ),
        {"a": ("succeeded", "canceled"), "b": ("canceled",), "c": ("canceled",), "d": DONE},
        canceled=("a", "b", "c"),
        shows="SELECT 1 FROM item WHERE cancel_wanted HAVING count(*) = 3",
    ),
    Scenario(
        "a tenant purged",
        (
            a_budget,
            their_contract,
            message(1, theirs("a", prefix=_CONTRACT.hash), theirs("b", prefix=_CONTRACT.hash), one("c")),
            everything_is_over,
            message(2, theirs("d", prefix=_CONTRACT.hash)),
            *tasks(pack, submit),
            quiet_is_over,
            *tasks(poll),
            message(3, theirs("e", prefix=_CONTRACT.hash), one("f")),
            command(_purge_acme),
            as_said("purge", "SELECT count(*) FROM item WHERE purged"),
            nobody_is_at_it,
            *tasks(sweep, poll, collect, api_deletions.delete_batches),
            nothing_of_theirs_is_in_redis,
            *ROUND,
        ),
        {"c": DONE, "f": DONE},
        purged=4,
        shows="SELECT 1 FROM submission WHERE deleted_at IS NOT NULL",
    ),
)
