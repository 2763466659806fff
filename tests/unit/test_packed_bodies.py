"""Groups of bodies as bytes: what is packed is read; what is damaged is noticed, and never taken for a body."""

from __future__ import annotations

import sys
from contextlib import suppress
from random import Random

import pytest

from overnight_models.ledger.bodies.packed import DamagedGroup, pack_group, read_group

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BODIES = [b'{"n":%d,"text":"%b"}' % (n, b"Every clause of it. " * (n % 7)) for n in range(500)]


@pytest.mark.parametrize("bodies", [BODIES, [b""], [b"", b"x", b""], ["ä\n\x00".encode()], [b"x" * 3_000_000]])
def test_what_is_packed_is_read_in_its_order(bodies: list[bytes]) -> None:
    group = read_group(pack_group(bodies))
    assert list(group) == bodies
    assert group[0:2] == bodies[0:2]
    assert group[len(bodies) - 1] == bodies[-1]


def test_a_place_that_is_not_there_is_an_index_error() -> None:
    group = read_group(pack_group([b"a", b"b"]))
    for place in (-1, 2):
        with pytest.raises(IndexError):
            _ = group[place]


def test_alike_bodies_take_a_fifth_of_their_bytes() -> None:
    assert len(pack_group(BODIES)) < sum(map(len, BODIES)) / 5


def test_no_damaged_byte_goes_unnoticed() -> None:
    packed, random = pack_group(BODIES), Random(7)
    for place in (0, 5, len(packed) - 1, *random.sample(range(len(packed)), 200)):
        damaged = bytearray(packed)
        damaged[place] ^= 1 << random.randrange(8)
        with suppress(DamagedGroup):
            assert list(read_group(bytes(damaged))) == BODIES, "bits that nothing depends on"


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"no zstd",
        pack_group(BODIES)[:-9],
        zstd.compress(b""),
        zstd.compress(b"\x01\x00"),
        zstd.compress(b"\x02\x00\x00\x00\x01\x00\x00\x00x"),
        zstd.compress(b"\x01\x00\x00\x00\x09\x00\x00\x00x"),
        zstd.compress(b"\xff\xff\xff\xff"),
    ],
)
def test_what_is_no_group_is_damaged(packed: bytes) -> None:
    with pytest.raises(DamagedGroup):
        read_group(packed)


def test_one_that_says_that_it_is_larger_than_any_is_not_decompressed() -> None:
    with pytest.raises(DamagedGroup, match="it says that it has 3000008 bytes, which no group has"):
        read_group(pack_group([bytes(3_000_000)]), max_bytes=1_000_000)
