"""The tests. A package only so that they can share `tests.driving`, `tests.service` and `tests.waiting`."""
