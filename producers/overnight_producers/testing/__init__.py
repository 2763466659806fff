"""The test kit: a product's own tests, without servers.

    def test_the_answer_is_saved(overnight):             # the fixture of the pytest plugin
        shop.describe("A1")                              # the product enqueues
        item = overnight.enqueued(lane="copy", key="describe:A1")
        overnight.deliver(item, "A red kettle.")         # the product's Celery task runs, in this process
        assert shop.description("A1") == "A red kettle."

What `enqueue` would turn down is turned down, what is sent and what comes back goes through JSON, and the task that the
callback names is called as a worker calls it. Without pytest: `with take_over() as overnight:`.
"""

from overnight_producers.testing.answers import Answer, Failure
from overnight_producers.testing.deliveries import Delivery
from overnight_producers.testing.items import Enqueued, Items
from overnight_producers.testing.kit import Kit, take_over

__all__ = ["Answer", "Delivery", "Enqueued", "Failure", "Items", "Kit", "take_over"]
