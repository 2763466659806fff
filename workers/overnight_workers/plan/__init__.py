"""The plan: what a file of requests will cost, and when it is likely done, told before anything is spent.

`making.py` makes one from the file, the API's free counting and the ledger's memory; what it finds is put together by
pure functions, and every number says how it is known.
"""
