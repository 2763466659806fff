"""What is wrong with the settings: all of it at once, where it is and what to write, in our words, and no secret."""

from __future__ import annotations

import pytest

from tests.configured import Given, faults

DEFAULT = "[workspaces.default]\nqueue_limit = 10\n"
ONE_AT_A_TIME: dict[str, tuple[str, dict[str, str], list[str]]] = {
    "a number that is too small": (
        "[lanes.a]\nmax_items = 0", {}, ["[lanes.a] max_items: 0 is too little: at least 1"],
    ),
    "a number that is too large": (
        "[lanes.a]\nmax_items = 100001", {}, ["[lanes.a] max_items: 100,001 is too much: at most 100,000"],
    ),
    "a text for a number": (
        '[lanes.a]\nmax_attempts = "some"', {},
        ["[lanes.a] max_attempts: it is a whole number, such as 1, and not 'some'"],
    ),
    "true for a number": (
        "[lanes.a]\nmax_attempts = true", {}, ["[lanes.a] max_attempts: it is a whole number, such as 1, and not true"],
    ),
    "a fraction for a number": (
        "[own_broker]\nmax_queue = 1.5", {}, ["[own_broker] max_queue: it is a whole number, such as 1, and not 1.5"],
    ),
    "a text for true": ('[lanes.a]\nprime = "maybe"', {}, ["[lanes.a] prime: it is true or false, and not 'maybe'"]),
    "a duration without its unit": (
        "[lanes.a]\nmax_wait = 5", {},
        ["[lanes.a] max_wait: 5 is not a duration: write a number and its unit, such as '90s', '5m' or '1h30m'"],
    ),
    "no quiet at all": ('[timing]\nquiet = "0s"', {}, ["[timing] quiet: '0s' is too little: at least 1.0 s"]),
    "a wait that is longer than results are kept": (
        '[timing]\nmissing_for = "29d"', {}, ["[timing] missing_for: '29d' is too much: at most 28 d"],
    ),
    "a size without its unit": (
        "[lanes.a]\nmax_bytes = 200", {},
        ["[lanes.a] max_bytes: 200 is not a size: write a number and its unit, such as '200MB'"],
    ),
    "a size that no batch has": (
        '[lanes.a]\nmax_bytes = "1GB"', {}, ["[lanes.a] max_bytes: '1GB' is too much: at most 256,000,000 bytes"],
    ),
    "a word that isn't there": (
        '[workspaces.default]\ntier = "gold"', {},
        ["[workspaces.default] tier: it is 'start', 'build' or 'scale', and not 'gold'"],
    ),
    "a text for a list": (
        '[lanes.a]\ncallbacks = "shop.*"', {},
        ['[lanes.a] callbacks: it is a list of texts, such as ["shop.*"]'],
    ),
    "a list of numbers": (
        "[lanes.a]\ncallbacks = [5]", {}, ['[lanes.a] callbacks: it is a list of texts, such as ["shop.*"]'],
    ),
    "a number for lanes": ("lanes = 5", {}, ["lanes: it holds tables, such as [lanes.NAME], and isn't a number"]),
    "a list for lanes": ("lanes = []", {}, ["lanes: it holds tables, such as [lanes.NAME], and isn't a list"]),
    "a number for a lane": (
        "[lanes]\na = 5", {},
        ["[lanes.a]: it is a table of settings (road, max_maybe_billed, deadline, …), and not a number"],
    ),
    "a text for the times": (
        'timing = "fast"', {},
        ["timing: it is a table of settings (poll_every, sweep_every, create_timeout, …), and not a text"],
    ),
    "a number for lanes, in the environment": (
        "", {"OVERNIGHT_LANES": "5"}, ["OVERNIGHT_LANES: it holds tables, such as [lanes.NAME], and isn't a number"],
    ),
    "links without a secret": (
        '[links]\nurl = "https://overnight.example"', {},
        ["[links] secrets: what signs the links? Such as env:OVERNIGHT_LINK_SECRET"],
    ),
    "the secret of links itself": (
        '[links]\nurl = "https://overnight.example"\nsecrets = "whsec_planted"', {},
        [
            ("[links] secrets: it says where the key is (env:NAME, file:PATH, command:PROGRAM ARGUMENTS),"
            " and isn't the key")
        ],
    ),
    "links that begin with no URL": (
        '[links]\nurl = "overnight.example/?planted"\nsecrets = "env:OVERNIGHT_LINK_SECRET"', {},
        ["[links] url: links begin with it, such as https://overnight.example"],
    ),
    "no calls at all": ("[direct]\ncalls = 0", {}, ["[direct] calls: 0 is too little: at least 1"]),
    "no JSON": (
        "", {"OVERNIGHT_BROKERS": '{"crm": {"url": planted}}'},
        ["OVERNIGHT_BROKERS: it isn't JSON (line 1, column 17), which holds the table [brokers]"],
    ),
    "a setting that isn't there, and its near name": (
        "[lanes.a]\nmax_wiat = 1", {}, ["[lanes.a] max_wiat: there is no such setting: did you mean max_wait?"],
    ),
    "a table that isn't there": ("[lane.a]", {}, ["lane: there is no such setting: did you mean lanes?"]),
    "a setting with no near name": (
        "[own_broker]\ncolour = 1", {},
        [
            ("[own_broker] colour: there is no such setting"
            " (there are: max_per_second, window, max_queue, max_memory, by_reference_above)")
        ],
    ),
    "a name that no lane may have": (
        '[lanes."Bad Name"]', {},
        [
            ("[lanes.Bad Name]: a name has at most 63 small letters, digits, '.', '_' and '-', and begins with a letter"
            " or digit")
        ],
    ),
    "a webhook over plain HTTP": (
        '[webhooks.shop]\nurl = "http://planted@h/x"\nsecrets = ["env:A"]', {},
        [
            ("[webhooks.shop] url: it has a user, a password or a fragment, which aren't sent: the signature says who"
            " it is")
        ],
    ),
    "a webhook that anybody could read": (
        '[webhooks.shop]\nurl = "http://h/planted"\nsecrets = ["env:A"]', {},
        ["[webhooks.shop] url: it begins with https://; http:// is only for networks in its `allow_private`"],
    ),
    "a secret in the place of where it is": (
        '[webhooks.shop]\nurl = "https://h"\nsecrets = ["whsec_planted"]', {},
        [
            ('[webhooks.shop] secrets: each says where a secret is, "env:VARIABLE" or "file:PATH", and isn\'t the'
            " secret itself")
        ],
    ),
    "a secret's place and a network that are no lists": (
        '[webhooks.shop]\nurl = "https://h"\nsecrets = "env:A"\nallow_private = "10.0.0.0/8"', {},
        [
            '[webhooks.shop] secrets: it is a list of texts, such as ["env:OVERNIGHT_SHOP_SECRET"]',
            '[webhooks.shop] allow_private: it is a list of texts, such as ["10.20.0.0/16"]',
        ],
    ),
    "a secret that is none": (
        '[webhooks.shop]\nurl = "https://h"\nsecrets = ["env:OVERNIGHT_SHOP_KEY"]', {"OVERNIGHT_SHOP_KEY": "planted"},
        ["[webhooks.shop] secrets: env:OVERNIGHT_SHOP_KEY: secret 1 of 1 doesn't begin with whsec_"],
    ),
    "a network with the metadata of a cloud": (
        '[webhooks.shop]\nurl = "https://h"\nsecrets = ["env:A"]\nallow_private = ["169.254.0.0/16"]', {},
        [
            ("[webhooks.shop] allow_private: 169.254.0.0/16 can't be allowed: metadata of a cloud, multicast, or all"
            " there is")
        ],
    ),
    "alarms to a webhook that isn't there": (
        '[alarms]\nwebhook = "pager"', {}, ["[alarms] webhook: there is no [webhooks.pager]"],
    ),
    "a broker without its URL": ("[brokers.crm]\nmax_queue = 1", {}, ["[brokers.crm] url: it has to be said"]),
    "a broker of no kind": (
        '[brokers.crm]\nurl = "http://planted@h"', {},
        [
            ("[brokers.crm] url: the URL of a broker begins with redis://, rediss://, amqp:// or another that Celery"
            " knows")
        ],
    ),
    "a database of another kind": (
        "", {"OVERNIGHT_DATABASE_URL": "mysql://u:planted@h/d"},
        [
            ("OVERNIGHT_DATABASE_URL: it isn't the URL of a Postgres: write"
            " postgresql://USER:PASSWORD@HOST:5432/DATABASE, the password percent-encoded")
        ],
    ),
    "a port that is no number": (
        'presence_url = "postgresql://u:planted@h:x/d"', {},
        [
            ("presence_url: it isn't the URL of a Postgres: write postgresql://USER:PASSWORD@HOST:5432/DATABASE, the"
            " password percent-encoded")
        ],
    ),
    "a Redis of another kind": (
        "", {"OVERNIGHT_REDIS_URL": "http://:planted@h"},
        [
            ("OVERNIGHT_REDIS_URL: the URL of a Redis begins with redis://, valkey://, rediss://, valkeys://,"
            " sentinel://, sentinels://, unix://, redis+socket://")
        ],
    ),
    "a number for a URL": ("redis_url = 5", {}, ["redis_url: it is a text, in quotation marks"]),
    "an API at no address": (
        '[workspaces.default]\nbase_url = "api.planted.com"', {},
        ["[workspaces.default] base_url: it is the API's address, such as https://api.anthropic.com"],
    ),
    "the key itself": (
        '[workspaces.default]\napi_key_env = "sk-planted"', {},
        [
            ("[workspaces.default] api_key_env: it names the environment variable that holds the key, and isn't the key"
            " itself")
        ],
    ),
    "a deployment that is no UUID": (
        "", {"OVERNIGHT_DEPLOYMENT": "mine"},
        ["OVERNIGHT_DEPLOYMENT: it is a UUID, as `overnight doctor` shows it, and not 'mine'"],
    ),
    "prices that aren't there": (
        "", {"OVERNIGHT_PRICES": "/nowhere/prices.toml"}, ["OVERNIGHT_PRICES: there is no file /nowhere/prices.toml"],
    ),
    "a variable that isn't there, and its near name": (
        "", {"OVERNIGHT_DATABSE_URL": "planted"},
        ["OVERNIGHT_DATABSE_URL: there is no such variable: did you mean OVERNIGHT_DATABASE_URL?"],
    ),
    "a variable in small letters": (
        "", {"overnight_redis_url": "planted"},
        ["overnight_redis_url: variables are written in capitals: OVERNIGHT_REDIS_URL"],
    ),
    "a level of logs that isn't there": (
        "", {"OVERNIGHT_LOG_LEVEL": "LOUD"},
        ["OVERNIGHT_LOG_LEVEL: it is DEBUG, INFO, WARNING, ERROR or CRITICAL, not 'LOUD'"],
    ),
    "a workspace that isn't there": (
        '[lanes.a]\nworkspace = "x"', {}, ["[lanes.a] workspace: there is no [workspaces.x]"],
    ),
    "a batch that could never be sent": (
        "[lanes.a]\nmax_items = 11\n[lanes.default]\nmax_items = 1\n" + DEFAULT, {},
        [
            ("[lanes.a] max_items: 11 is more than queue_limit of [workspaces.default] (10): such a batch could never"
            " be sent")
        ],
    ),
    "a lease that is too short": (
        '[timing]\nlease = "5m"', {},
        ["[timing] lease: it must be longer than create_timeout: a submitter would be taken for dead"],
    ),
    "what only a Redis has": (
        '[brokers.a]\nurl = "amqp://h"\nkey_prefix = "x"', {},
        ["[brokers.a] key_prefix: only a Redis (redis://, rediss://, …) has keys to put it before"],
    ),
}  # fmt: skip
"""What is written, and what is said of it: the file, variables, faults."""


def in_our_words(told_faults: list[str]) -> bool:
    """No library's sentence, and nothing that may be a secret."""
    foreign = ("type=", "pydantic", "Input should", "Extra inputs", "Field required", "planted", "Traceback")
    return not any(word in fault for fault in told_faults for word in foreign)


@pytest.mark.parametrize(("file", "variables", "said"), ONE_AT_A_TIME.values(), ids=ONE_AT_A_TIME)
def test_a_fault_says_where_it_is_and_what_to_write(
    given: Given, monkeypatch: pytest.MonkeyPatch, file: str, variables: dict[str, str], said: list[str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    shown = faults(given, file)
    assert shown == said
    assert in_our_words(shown)


def test_every_fault_is_told_at_once_with_those_of_several_settings(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"OVERNIGHT_LANE": "{}", "OVERNIGHT_LOG_LEVEL": "9", "OVERNIGHT_TIMING": "[]"}.items():
        monkeypatch.setenv(name, value)
    said = faults(
        given,
        '[lanes.a]\nmax_items = 0\nmax_wait = 5\ncolour = "red"\n[lanes.b]\nworkspace = "x"\n[brokers.b]\n'
        'max_queue = 1\n[brokers.c]\nurl = "redis+cluster://h"\n[workspaces.default]\nqueue_limit = 10',
        database_url="mysql://h",
    )
    places = [
        "OVERNIGHT_LANE", "OVERNIGHT_LOG_LEVEL", "OVERNIGHT_DATABASE_URL", "[lanes.a] colour", "[lanes.a] max_items",
        "[lanes.a] max_wait", "[brokers.b] url", "OVERNIGHT_TIMING", "[lanes.default] max_items", "[lanes.b] workspace",
        "[brokers.c] url",
    ]  # fmt: skip
    assert [fault.partition(": ")[0] for fault in said] == places
    assert in_our_words(said)


def test_what_depends_on_a_wrong_value_is_not_judged(given: Given) -> None:
    said = faults(given, '[workspaces.default]\nqueue_limit = "some"\n[timing]\nlease = "x"\nworkspace = 1')
    assert [fault.partition(": ")[0] for fault in said] == [
        "[workspaces.default] queue_limit", "[timing] workspace", "[timing] lease",
    ]  # fmt: skip
