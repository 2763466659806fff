"""The order of two turns that run at once: what was taken first is written first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock


class Order:
    """Numbers of turns, and which of them may write."""

    def __init__(self) -> None:
        self._taking = Lock()
        self._moved = Condition()
        self._ended: set[int] = set()
        self._writes = 0
        """The turn that may write."""
        self._next = 0

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """A turn; whatever happens in it, those behind it go on when it ends."""
        turn = Turn(self)
        try:
            yield turn
        finally:
            turn.end()

    @contextmanager
    def taking(self) -> Iterator[int]:
        """Only one takes; its number says which rows it has: all before those of the next."""
        with self._taking:
            yield self._next
            self._next += 1

    def wait(self, number: int) -> None:
        """Wait until all turns before this one have ended."""
        with self._moved:
            self._moved.wait_for(lambda: self._writes >= number)

    def end(self, number: int) -> None:
        """A turn has written, or never will."""
        with self._moved:
            self._ended.add(number)
            while self._writes in self._ended:
                self._ended.remove(self._writes)
                self._writes += 1
            self._moved.notify_all()


class Turn:
    """One turn of an order."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._number: int | None = None

    @contextmanager
    def taking(self) -> Iterator[None]:
        """While it takes its rows. What fails in it has no place in the order."""
        with self._order.taking() as number:
            yield
        self._number = number

    def wait(self) -> None:
        """Until all that was taken before is written."""
        if self._number is not None:
            self._order.wait(self._number)

    def end(self) -> None:
        """The next may write. Again it does nothing."""
        if self._number is not None:
            self._order.end(self._number)
            self._number = None
