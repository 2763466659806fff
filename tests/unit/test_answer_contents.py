"""What stands in an answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from overnight_models.wire.answer import has_text, readings

TEXTS = st.sampled_from(["", " ", "\n\t", "a", " b "]) | st.none() | st.integers()
BLOCKS = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, TEXTS),
    st.just({"type": "tool_use", "name": "t"}),
    st.just({"type": "thinking", "text": "a"}),
    st.just({"type": "text"}),
    st.just("a"),
)


@given(st.lists(BLOCKS, max_size=4) | st.just("a") | st.none())
def test_there_is_text_where_there_is_a_reading(content: object) -> None:
    assert has_text(content) == bool(readings(content))
