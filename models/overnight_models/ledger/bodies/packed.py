"""A group as bytes: bodies one behind another, their lengths in front, compressed by zstd with a checksum.

number of bodies    4 bytes, the lowest first
length of each      4 bytes each
the bodies
"""

from __future__ import annotations

import math
import sys
from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, overload

from overnight_models.errors import PermanentError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MAX_GROUP_BYTES: Final = 300_000_000
"""Nothing that is decompressed has more: a batch is smaller than that, and so is each body in it."""
_NUMBER: Final = "I"
_NUMBER_BYTES: Final = 4
_compressor: Final = zstd.ZstdCompressor(
    options={zstd.CompressionParameter.compression_level: 3, zstd.CompressionParameter.checksum_flag: 1}
)
"""Used again and again: a new one has its tables to fill. A call has it alone, whatever other threads do."""


class DamagedGroup(PermanentError):
    """A group's bytes aren't what was written: restore its row from a backup. Other groups are as good as before."""


def pack_group(bodies: Sequence[bytes]) -> bytes:
    """Bodies as one value. See `read_group`."""
    numbers = array(_NUMBER, [len(bodies), *map(len, bodies)])
    if sys.byteorder == "big":
        numbers.byteswap()
    return _compressor.compress(b"".join((numbers.tobytes(), *bodies)), mode=zstd.ZstdCompressor.FLUSH_FRAME)


def read_group(packed: bytes, max_bytes: int = MAX_GROUP_BYTES) -> Group:
    """What `pack_group` has packed. Raises DamagedGroup.

    max_bytes: one that says that it has more is damaged; so much is in memory at most.
    """
    try:
        size = zstd.get_frame_info(packed).decompressed_size
        if (size or math.inf) > max_bytes:
            raise DamagedGroup(f"it says that it has {size} bytes, which no group has")
        return Group(zstd.decompress(packed))
    except (zstd.ZstdError, ValueError) as error:
        raise DamagedGroup(f"it can't be decompressed: {error}") from error


class Group(Sequence[bytes]):
    """The bodies of a group; each is made when it is asked for."""

    def __init__(self, unpacked: bytes) -> None:
        """unpacked: as laid out above. Raises ValueError when its lengths don't fit."""
        self._unpacked = unpacked
        numbers = array(_NUMBER)
        numbers.frombytes(unpacked[:_NUMBER_BYTES])
        first = _NUMBER_BYTES * (1 + _little(numbers)[0]) if numbers else 0
        lengths = array(_NUMBER)
        lengths.frombytes(unpacked[_NUMBER_BYTES:first])
        self._ends = list(accumulate(_little(lengths), initial=first))
        if not first or self._ends[-1] != len(unpacked):
            raise ValueError("its lengths aren't those of its bodies")

    @property
    def size(self) -> int:
        """Bytes of all of it."""
        return len(self._unpacked)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(place, slice):
            return [self[n] for n in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self._unpacked[self._ends[place] : self._ends[place + 1]]


def _little(numbers: array[int]) -> array[int]:
    """Numbers that were read as they are written: the lowest byte first."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
