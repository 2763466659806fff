"""A stand-in for the Anthropic API: Message Batches, Messages, token counting, models.

It speaks HTTP, answers with made-up text that says so, bills every accepted call on a meter of its own, and
goes wrong on demand. `app.py` puts it together; `faults.py` and `marks.py` say what can go wrong; `control.py`
lists the calls that the real API hasn't got.

What the real API's documentation leaves open is decided here, and may differ from it: canceling an ended
batch is a 400, canceling twice answers as the first time, results before the end and after 29 days are a 404,
deleting an unfinished batch is a 400, a deleted batch is gone from the list, `requests: []` is a 400.
"""
