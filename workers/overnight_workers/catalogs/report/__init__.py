"""The report of a run: one page without network and the same as JSON, and a callback at its end."""
