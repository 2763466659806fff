"""An item as a product writes it becomes a line; a callback's queue is the one Celery itself would choose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from celery import Celery, chord, group
from celery.exceptions import CDeprecationWarning
from kombu import Queue
from pydantic import BaseModel

from overnight_producers import BadItem, Item, callback, task
from overnight_producers.item import line_of
from overnight_producers.structured import for_the_api
from tests.driving import params

REDIS = "redis://127.0.0.1:6379/0"


class Copy(BaseModel):
    text: str


@pytest.fixture
def shop() -> Iterator[Celery]:
    app = Celery("shop", broker=REDIS, set_as_current=False)
    yield app
    app.close()


def line(redis_url: str = REDIS, **fields: Any) -> dict[str, Any]:
    item_id, written = line_of(Item(**({"params": params(), "key": "k"} | fields)), redis_url=redis_url)
    assert orjson.loads(written) == item_id
    return dict(item_id)


def fault(redis_url: str = REDIS, **fields: Any) -> str:
    with pytest.raises(BadItem) as caught:
        line(redis_url, **fields)
    assert caught.value.key == "k"
    (why,) = caught.value.faults
    return why


def save(app: Celery, **options: Any) -> Any:
    @app.task(name="shop.save", shared=False, **options)
    @callback
    def save_copy(outcome: object, sku: str = "") -> None: ...

    return save_copy


def queue_of(given: Any) -> str:
    return str(line(callback=given)["callback"]["queue"])


def test_what_is_absent_does_not_travel() -> None:
    assert set(line()) == {"id", "key", "params"}


def test_an_item_without_a_key_gets_one_of_its_own() -> None:
    assert line(key=None)["key"] != line(key=None)["key"]


def test_a_signature_travels_with_its_arguments(shop: Celery) -> None:
    copy = save(shop)
    sent = line(callback=copy.s(sku="A1"))["callback"]
    assert sent == {"task": "shop.save", "queue": "celery", "kwargs": {"sku": "A1"}}
    assert line(callback=copy.s("A1"))["callback"]["args"] == ["A1"]


def test_the_queue_declared_at_the_task(shop: Celery) -> None:
    with pytest.warns(CDeprecationWarning):
        assert queue_of(save(shop, queue="declared").s()) == "declared"


def test_the_queue_set_on_the_signature_wins(shop: Celery) -> None:
    shop.conf.task_routes = {"shop.*": {"queue": "routed"}}
    assert queue_of(save(shop).s().set(queue="chosen")) == "chosen"


def test_the_queue_of_the_routes(shop: Celery) -> None:
    shop.conf.task_routes = {"shop.*": {"queue": "routed"}}
    assert queue_of(save(shop).s()) == "routed"


def test_the_queue_of_a_routing_function(shop: Celery) -> None:
    shop.conf.task_routes = (lambda name, *_, **__: {"queue": f"for-{name}"},)
    assert queue_of(save(shop).s()) == "for-shop.save"


def test_the_default_queue(shop: Celery) -> None:
    assert queue_of(save(shop).s()) == "celery"


def test_the_default_queue_that_the_product_named(shop: Celery) -> None:
    shop.conf.task_default_queue = "products"
    assert queue_of(save(shop).s()) == "products"


def test_a_queue_given_as_an_object(shop: Celery) -> None:
    assert queue_of(save(shop).s().set(queue=Queue("object"))) == "object"


def test_a_signature_of_a_task_that_is_not_loaded_here(shop: Celery) -> None:
    shop.conf.task_routes = {"shop.elsewhere": {"queue": "far"}}
    assert queue_of(shop.signature("shop.elsewhere")) == "far"


def acknowledging(app: Celery, **options: Any) -> Any:
    @app.task(name="shop.save", shared=False, **options)
    @callback(ack=True)
    def save_copy(*arguments: object) -> None: ...

    return save_copy


@pytest.mark.parametrize("options", [{}, {"bind": True}, {"autoretry_for": (OSError,)}, {"pydantic": True}])
def test_a_task_that_acknowledges_says_so_by_itself(shop: Celery, options: dict[str, Any]) -> None:
    assert line(callback=acknowledging(shop, **options).s())["callback"]["ack"] is True


def test_one_that_does_not_is_not_asked(shop: Celery) -> None:
    assert "ack" not in line(callback=save(shop).s())["callback"]

    @shop.task(name="shop.plain", shared=False)
    def plain(outcome: object) -> None: ...

    assert "ack" not in line(callback=plain.s())["callback"]
    assert "ack" not in line(callback=shop.signature("shop.elsewhere"))["callback"]


def test_by_name_it_is_said_where_it_is_named() -> None:
    assert line(callback=task("shop.save", queue="q", ack=True))["callback"]["ack"] is True
    assert "ack" not in line(callback=task("shop.save", queue="q"))["callback"]


def test_a_callback_by_name() -> None:
    named = task("shop.save", queue="q", args=(1,), kwargs={"a": 2}, broker="crm")
    assert line(callback=named)["callback"] == {
        "task": "shop.save", "queue": "q", "args": [1], "kwargs": {"a": 2}, "broker": "crm",
    }  # fmt: skip


@pytest.mark.parametrize("broker", ["redis://127.0.0.1:6379/1", "redis://elsewhere:6379/0", "amqp://127.0.0.1"])
def test_a_signature_of_an_app_on_another_broker_is_refused(broker: str) -> None:
    app = Celery("shop", broker=broker, set_as_current=False)
    assert "name the broker in Overnight's configuration" in fault(callback=save(app).s())
    app.close()


@pytest.mark.parametrize("same", ["redis://localhost:6379/0", "redis://:secret@127.0.0.1/0", "redis://127.0.0.1"])
def test_the_same_redis_may_be_written_in_other_ways(same: str) -> None:
    app = Celery("shop", broker=same, set_as_current=False)
    assert queue_of(save(app).s()) == "celery"
    app.close()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"countdown": 5}, "countdown"),
        ({"expires": 60, "headers": {"a": "b"}}, "expires, headers"),
        ({"priority": 3, "queue": "shop.urgent"}, "priority"),
    ],
)
def test_options_of_a_signature_that_cannot_be_kept_are_refused_by_name(
    shop: Celery, options: dict[str, Any], named: str
) -> None:
    assert f"{named} of 'shop.save' can't be kept" in fault(callback=save(shop).s().set(**options))


def test_a_callback_above_its_task_says_that_it_is_the_other_way_round(shop: Celery) -> None:
    with pytest.raises(TypeError, match=r"@callback stands under @app.task"):
        callback(save(shop))


def test_a_signature_whose_workers_read_other_keys_is_refused_with_what_to_write(shop: Celery) -> None:
    signature = save(shop).s()
    shop.conf.broker_transport_options = {"global_keyprefix": "shop:"}
    assert "key_prefix = \"shop:\", and use task('shop.save', queue=..., broker=" in fault(callback=signature)


def test_canvas_is_refused(shop: Celery) -> None:
    signature = save(shop)
    for canvas in (
        signature.s() | signature.s(),
        group(signature.s(), signature.s()),
        chord([signature.s()], signature.s()),
        signature.map([1]),
        signature.si(),
    ):
        assert "one plain signature" in fault(callback=canvas)


def test_a_signature_whose_arguments_are_no_json_is_refused(shop: Celery) -> None:
    assert "`callback.kwargs.sku` is no JSON: its type is object" in fault(callback=save(shop).s(sku=object()))


def test_a_task_or_a_function_in_the_place_of_a_signature_is_refused_with_what_to_write(shop: Celery) -> None:
    for not_signed in (save(shop), shop.tasks["shop.save"], print):
        name = getattr(not_signed, "__name__", "")
        assert f"`callback` is {name} itself" in fault(callback=not_signed)
        assert f"`{name}.s(sku='A1')`" in fault(callback=not_signed)


def test_a_field_that_is_no_json_is_named() -> None:
    assert "`trace_id` is no JSON: its type is object" in fault(trace_id=object())
    named_by_number = task("shop.save", queue="shop", kwargs={"prices": {1: 2}})
    assert "`callback.kwargs.prices` has the name 1, which is no text" in fault(callback=named_by_number)


def test_params_that_are_no_json_are_refused() -> None:
    assert "a object isn't JSON" in fault(params=params(system=object()))


@pytest.mark.parametrize("bad", [None, "x", [1]])
def test_params_that_are_no_dict_are_refused(bad: object) -> None:
    assert "must be a dict" in fault(params=bad)


def test_output_is_asked_for_and_checked_in_its_own_forms() -> None:
    sent = line(output=Copy, params=params(output_config={"effort": "low"}))
    assert sent["output"] == Copy.model_json_schema()
    asked = {"type": "json_schema", "schema": for_the_api(Copy.model_json_schema())}
    assert sent["params"]["output_config"] == {"effort": "low", "format": asked}


def test_output_twice_is_refused() -> None:
    given = params(output_config={"format": {"type": "json_schema", "schema": {}}})
    assert "keep one" in fault(output=Copy, params=given)


def test_output_that_is_no_schema_is_refused() -> None:
    assert "pydantic model or a JSON schema" in fault(output=5)


def test_the_products_params_are_not_changed() -> None:
    given = params()
    line(params=given, output=Copy)
    assert given == params()
