"""What a product holds after enqueuing."""

from __future__ import annotations

from hashlib import blake2b
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from overnight_producers import Sent


@given(st.binary(min_size=16, max_size=16), st.integers(0, 2**40))
def test_the_id_of_an_item_is_a_random_uuid_made_of_the_seed_and_the_index(seed: bytes, index: int) -> None:
    sent = Sent(lane="default", run=None, seed=seed)
    drawn = blake2b(index.to_bytes(8), key=seed, digest_size=16).digest()
    assert sent.item_id(index) == str(UUID(bytes=drawn, version=4))
