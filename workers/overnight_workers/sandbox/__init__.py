"""A stand-in for the Anthropic API: Message Batches, Messages, token counting, models.

It speaks HTTP, answers with made-up text that says so, bills every accepted call on a meter of its own, and goes wrong
on demand.

    http/      what is asked and answered: `app` puts it together, `calls` serves a call, `control` has the calls that
               the real API hasn't got (meter, faults, time)
    batches/   a batch's life: `intake` reads a create's body, `accepting` takes it, `settling` ends it, `results` and
               `shelf` show it
    answers/   what becomes of a request: `checks` turns it down, `work` decides its answer, `fitting` makes up values
    faults/    what goes wrong: `faults` by call, `marks` by item

Beside the rooms: `command` and `process` start it; `store` survives its death; `batch` is a batch as it is kept;
`meter` bills; `clock`, `draws` and `errors` are its time, its chance and its refusals.

What the real API's documentation leaves open is decided here, and may differ from it: canceling an ended
batch is a 400, canceling twice answers as the first time, results before the end and after 29 days are a 404,
deleting an unfinished batch is a 400, a deleted batch is gone from the list, `requests: []` is a 400.
"""
