"""The Batches tab in Flower: Flower's own program, with one page more that reads the ledger.

`celery -A overnight_workers.app flower` shows it; every other Celery app's Flower stays what it is.
"""
