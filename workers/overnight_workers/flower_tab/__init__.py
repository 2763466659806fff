"""The operator's pages in Flower: Flower's own program, with a tab of ours whose pages ask the ledger.

`celery -A overnight_workers.app flower` shows it; every other Celery app's Flower stays what it is.
"""
