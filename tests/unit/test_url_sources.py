"""URLs with passwords may be elsewhere: in a variable, in a file, printed by a command."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from overnight_models.errors import BadSettings
from overnight_workers.configuration.relay_settings import RelaySettings
from overnight_workers.configuration.url_sources import url_or_source
from overnight_workers.configuration.urls import broker_url, postgres_url

URL = "postgresql://relay:s3cret@shop-db/shop"


@pytest.mark.parametrize("written", ["env:SHOP_URL", "file:/run/secrets/shop", "command:vault read -field=url shop"])
def test_a_setting_says_where_its_url_is_and_is_read_when_it_is_needed(written: str) -> None:
    assert url_or_source(postgres_url)(f" {written} ") == written
    assert url_or_source(broker_url)("redis://x") == "redis://x"


@pytest.mark.parametrize("written", ["env:postgresql://u:s3cret@h/d", "command:", "command:'", "file:"])
def test_what_is_no_place_is_refused_without_being_shown(written: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        url_or_source(postgres_url)(written)
    assert "s3cret" not in str(caught.value)


def test_it_is_the_one_that_is_there_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, printer = tmp_path / "url", tmp_path / "print.py"
    place.write_text(f"{URL}\n")
    printer.write_text(f"print({URL!r})")
    monkeypatch.setenv("SHOP_URL", URL)
    for written in ("env:SHOP_URL", f"file:{place}", f"command:{sys.executable} {printer}"):
        assert RelaySettings(database_url=written).link == URL
    place.write_text("postgresql://relay:new@shop-db/shop")
    assert RelaySettings(database_url=f"file:{place}").link == "postgresql://relay:new@shop-db/shop"


def test_a_command_runs_every_five_minutes_and_not_for_each_look(tmp_path: Path) -> None:
    printer, runs = tmp_path / "print.py", tmp_path / "runs"
    printer.write_text(f"open({str(runs)!r}, 'a').write('.'); print({URL!r})")
    written = f"command:{sys.executable} {printer}"
    assert {RelaySettings(database_url=written).link for _ in range(3)} == {URL}
    assert runs.read_text() == "."


@pytest.mark.parametrize(
    ("written", "held_there", "said"),
    [
        ("env:SHOP_URL", "", "set SHOP_URL"),
        ("env:SHOP_URL", "mysql://relay:s3cret@h/d", "what SHOP_URL holds isn't the URL"),
        ("file:/nowhere", "", "file /nowhere can't be read"),
        ("command:/nowhere s3cret", "", "command /nowhere can't be run"),
    ],
)
def test_without_it_it_is_said_where_it_was_looked_for_and_nothing_of_it(
    written: str, held_there: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_URL", held_there)
    with pytest.raises(BadSettings, match=said) as caught:
        _ = RelaySettings(database_url=written).link
    assert "s3cret" not in str(caught.value)
