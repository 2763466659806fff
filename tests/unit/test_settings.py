"""The settings: the environment goes over the file, everything has a unit, and every fault is told at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from overnight_models.embedded_urls import write_urls
from overnight_models.errors import BadSettings
from overnight_workers.keys import api_keys
from overnight_workers.settings import settings
from tests.configured import Given, faults


def test_without_anything_there_is_a_lane_and_a_workspace(given: Given) -> None:
    settings_ = given()
    assert list(settings_.lanes) == ["default"]
    assert list(settings_.workspaces) == ["default"]


def test_the_file_is_read_with_its_units(given: Given) -> None:
    settings_ = given('[lanes.night]\nmax_wait = "1h30m"\nmax_bytes = "5MB"\n[timing]\npoll_every = "250ms"')
    assert settings_.lanes["night"].max_wait == 5400
    assert settings_.lanes["night"].max_bytes == 5_000_000
    assert settings_.timing.poll_every == 0.25
    assert set(settings_.lanes) == {"default", "night"}


def test_the_environment_goes_over_the_file(given: Given) -> None:
    settings_ = given('redis_url = "redis://file"\ndatabase_url = "postgresql://file"', redis_url="redis://environment")
    assert (settings_.redis_url, settings_.database_url) == ("redis://environment", "postgresql://file")


def test_a_part_in_the_environment_goes_over_that_part_of_the_file_only(given: Given) -> None:
    settings_ = given('[timing]\npoll_every = "5s"\nwire = "7s"', timing=json.dumps({"wire": "9s"}))
    assert (settings_.timing.poll_every, settings_.timing.wire) == (5, 9)


def test_the_file_may_be_elsewhere(given: Given, tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("[lanes.other]")
    assert "other" in given(config=str(tmp_path / "other.toml")).lanes


def test_a_file_that_is_named_must_exist(given: Given, tmp_path: Path) -> None:
    (fault,) = faults(given, config=str(tmp_path / "none.toml"))
    assert "which doesn't exist" in fault


def test_a_file_that_is_no_toml_is_named(given: Given) -> None:
    (fault,) = faults(given, "[lanes")
    assert fault.startswith("overnight.toml: ")


@pytest.mark.parametrize(
    "name",
    [
        "OVERNIGHT_SERVICE_HOST",
        "OVERNIGHT_REDIS_PORT",
        "OVERNIGHT_REDIS_PORT_6379_TCP_ADDR",
        "OVERNIGHT_SERVICE_PORT_HTTP",
    ],
)
def test_what_kubernetes_sets_for_a_service_of_that_name_is_no_fault(
    given: Given, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "tcp://10.0.0.1:6379")
    assert list(given().lanes) == ["default"]


def test_an_empty_variable_says_nothing(given: Given) -> None:
    assert given('redis_url = "redis://file"', redis_url="", lanes="", deployment="").redis_url == "redis://file"


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
def test_a_lane_names_a_known_api_version(given: Given, version: str) -> None:
    assert given(f'[lanes.a]\napi_version = "{version}"').lanes["a"].api_version == version
    (fault,) = faults(given, '[lanes.a]\napi_version = "2020-01-01"')
    assert "2026-10-21" in fault


def test_a_lane_needs_a_workspace_that_there_is(given: Given) -> None:
    said = "\n".join(faults(given, '[lanes.a]\nworkspace = "x"\n[lanes.b]\nworkspace = "y"'))
    assert "[lanes.a] workspace: there is no [workspaces.x]" in said
    assert "[workspaces.y]" in said


@pytest.mark.parametrize(("lease", "good"), [("299s", False), ("300s", False), ("301s", True)])
def test_a_lease_is_longer_than_a_create_may_take(given: Given, lease: str, good: bool) -> None:
    file = f'[timing]\nlease = "{lease}"\ncreate_timeout = "5m"'
    if good:
        assert given(file).timing.lease == 301
    else:
        assert "[timing] lease: it must be longer than create_timeout" in faults(given, file)[0]


def test_the_embedded_servers_are_found(given: Given, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_urls(tmp_path / "data", {"database_url": "postgresql://embedded", "redis_url": "redis://embedded"})
    assert given().database_url == "postgresql://embedded"
    settings_ = given(database_url="postgresql://own")
    assert (settings_.database_url, settings_.redis_url) == ("postgresql://own", "redis://embedded")


def test_the_embedded_servers_urls_are_for_their_owner_only(given: Given, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write_urls(tmp_path / "data", {"redis_url": "redis://:secret@h"})
    assert (tmp_path / "data" / "urls.json").stat().st_mode & 0o077 == 0


def test_servers_that_nobody_named_are_missed_together(given: Given) -> None:
    with pytest.raises(BadSettings) as caught:
        given().require_urls()
    assert [fault.split()[0] for fault in caught.value.faults] == ["OVERNIGHT_DATABASE_URL", "OVERNIGHT_REDIS_URL"]
    assert "overnight up" in str(caught.value)


def test_a_key_is_read_from_the_variable_that_the_workspace_names(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = given('[workspaces.a]\napi_key_env = "KEY_OF_A"').workspaces["a"]
    assert not api_keys.has_key("a", workspace)
    monkeypatch.setenv("KEY_OF_A", "sk")
    assert api_keys.key_of("a", workspace) == "sk"


def test_products_are_told_every_name_that_a_model_goes_by(given: Given) -> None:
    policy = given('[lanes.a]\ncallbacks = ["shop.*"]\n[brokers.crm]\nurl = "redis://x"').policy
    assert policy.brokers == ("crm",)
    assert policy.lanes["a"].callbacks == ("shop.*",)
    assert {"claude-haiku-4-5", "claude-haiku-4-5-20251001"} <= set(policy.models)


def test_no_url_is_shown(given: Given) -> None:
    settings_ = given(
        '[brokers.crm]\nurl = "redis://:secret@x"',
        redis_url="redis://:secret@x",
        database_url="postgresql://u:secret@h/d",
        presence_url="postgresql://u:secret@h/d",
    )
    assert "secret" not in repr(settings_)


def test_a_key_in_the_place_of_its_variable_is_refused_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERNIGHT_WORKSPACES", '{"default": {"api_key_env": "the-key-itself-planted"}}')
    settings.cache_clear()
    with pytest.raises(BadSettings) as caught:
        settings()
    settings.cache_clear()
    assert "isn't the key itself" in str(caught.value)
    assert "planted" not in str(caught.value)


def test_every_fault_of_a_redis_url_is_told_with_the_others(given: Given) -> None:
    said = faults(
        given,
        '[brokers.crm]\nurl = "redis+cluster://:secret@h"\n[brokers.shop]\nurl = "redis://h?protocol=3"\n'
        '[brokers.rabbit]\nurl = "amqp://h"\nca_file = "ca.pem"',
        redis_url="sentinel://:secret@h",
    )
    for part in (
        "OVERNIGHT_REDIS_URL: which primary?",
        "[brokers.crm] url: a Redis Cluster can't be",
        "[brokers.shop] url: option 'protocol'",
        "[brokers.rabbit] ca_file: only for a Redis",
    ):
        assert any(part in fault for fault in said), part
    assert "secret" not in "".join(said)


def test_a_private_ca_is_a_setting_of_its_own(given: Given, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    read = given(
        f'[brokers.crm]\nurl = "valkeys://h"\nca_file = "{tmp_path}/ca.pem"',
        redis_url="rediss://h",
        redis_ca=str(tmp_path / "ca.pem"),
    )
    for place in (read.redis_place, read.brokers["crm"].redis_place):
        assert place.tls is not None
        assert place.tls["ssl_ca_certs"] == str(tmp_path / "ca.pem")


def test_limits_of_messages_are_said_by_model_and_count_for_its_pool(given: Given) -> None:
    from overnight_workers.limiter.limits import limits_of

    given(
        '[workspaces.default]\ntier = "build"\n'
        '[workspaces.default.limits]\n"claude-opus-4-8" = { requests = 70 }\n"*" = { output_tokens = 9000 }'
    )
    pooled, other = limits_of("default", "claude-opus-4-5"), limits_of("default", "claude-haiku-4-5-20251001")
    assert pooled == ((70, 5_000_000, 1_000_000), (True, False, False))
    assert other == ((5000, 5_000_000, 9000), (False, False, True))
    assert limits_of("lost", "claude-fable-5-2").per_minute == (1000, 500_000, 100_000)


def test_limits_that_can_not_be_kept_are_told_with_their_place(given: Given) -> None:
    (twice,) = faults(
        given, '[workspaces.default.limits]\n"claude-opus-4-8" = {}\n"claude-opus-4-7" = { requests = 0, tokens = 5 }'
    )
    assert "claude-opus-4, which are said already" in twice
    assert "too little" in twice
    assert "tokens" in twice
    (wrong,) = faults(given, "[workspaces.default]\nlimits = 5")
    assert "claude-sonnet-5" in wrong
