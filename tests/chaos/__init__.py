"""Every promise, whatever is killed: at each crash point in turn, and at random under load."""

import pytest

pytest.register_assert_rewrite("tests.chaos.books")
