"""What `overnight up` says of webhooks whose secrets aren't here."""

from __future__ import annotations

from pathlib import Path

import pytest

from overnight_models.wire.signature import new_secret
from overnight_workers.configuration.webhook_settings import Webhook, without_secrets


def test_each_webhook_that_cannot_be_signed_is_told_with_every_reason_and_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SECRET", new_secret())
    monkeypatch.delenv("CRM_SECRET", raising=False)
    (tmp_path / "short").write_text("whsec_cGxhbnRlZA==")
    short = f"file:{tmp_path / 'short'}"
    good = Webhook(url="https://shop.example", secrets=("env:SHOP_SECRET",))
    bad = Webhook(url="https://crm.example", secrets=("env:SHOP_SECRET", "env:CRM_SECRET", short))
    (line,) = without_secrets({"shop": good, "crm": bad})
    assert line == (
        "[webhooks.crm] sends nothing, its outcomes wait: env:CRM_SECRET: the variable isn't set here;"
        f" {short}: secret 1 of 1 is of 7 bytes: 24 to 64 may be"
    )
