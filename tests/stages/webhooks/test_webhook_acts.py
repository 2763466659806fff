"""A webhook that is kept back, tried at once by a person: said first, done by the page as by the command, recorded."""

from __future__ import annotations

import pytest

from overnight_models.ledger.operators.actions import By
from overnight_workers.cli import app
from overnight_workers.flower_tab.acts import known_act
from overnight_workers.stages.webhooks.webhooks import webhooks
from tests.driving import Service, item, read_command
from tests.endpoints import SECRET, Reply, listening


def test_a_webhook_is_tried_at_once_from_its_page_and_by_command_and_both_are_recorded(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERNIGHT_SHOP_SECRET", SECRET)
    with listening() as endpoint:
        service.configure(webhooks={"shop": endpoint.settings()})
        service.answered(item("a", callback={"webhook": "shop"}))
        endpoint.replies.append(Reply(410, b"planted"))
        webhooks()
        act, said = known_act("resume_webhook"), {"webhook": "shop"}
        proposal = act.propose(said)
        assert proposal.is_possible
        assert "HTTP 410: the endpoint is gone" in proposal.text
        assert "planted" not in proposal.text
        assert act.perform(said, By("ann", via="flower")).text == "shop is tried within seconds"
        read_command(app, "webhooks", "resume", "shop")
        assert webhooks() == "1 delivered"
        assert act.propose(said).is_possible is False
    acts = service.ledger.fetch_all("SELECT name, via, wish FROM action ORDER BY id")
    assert [(row["name"], row["via"], row["wish"]) for row in acts] == [
        ("resume webhook", via, '{"webhook":"shop"}') for via in ("flower", "command")
    ]
