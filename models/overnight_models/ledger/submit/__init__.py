"""The ledger for submit: submissions, shapes, rejected batches."""
