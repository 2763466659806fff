"""What is asked of the limiter, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from overnight_models.money.prices import Usage

Bucket: TypeAlias = Literal["requests", "input_tokens", "output_tokens"]
BUCKETS: Final[tuple[Bucket, ...]] = ("requests", "input_tokens", "output_tokens")
Obstacle: TypeAlias = Literal["requests", "input_tokens", "output_tokens", "pause", "away"]
"""What is waited for: a bucket that is used up, the end of a retry-after, or Redis."""


class Need(NamedTuple):
    """What one request will take: tokens of its prompt that no cache will hold, and of the expected answer."""

    input_tokens: int
    output_tokens: int


class Used(NamedTuple):
    """What one request took, as the API counts it for its limits."""

    input_tokens: int
    output_tokens: int

    @classmethod
    def of(cls, usage: Usage) -> Used:
        """Of an answer's usage: tokens read from a cache don't count, those written to it do."""
        return cls(usage.input_tokens + usage.write_5m_tokens + usage.write_1h_tokens, usage.output_tokens)


@dataclass(frozen=True, slots=True)
class Grant:
    """One request may be sent, `starts_in_s` from now. It is settled when it is known what it took."""

    workspace: str
    pool: str
    costs: tuple[int, int, int]
    """Requests, input tokens and output tokens that were reserved."""
    charges: tuple[int, int, int]
    """What they took of each bucket's time, in microseconds; nothing where Redis wasn't asked."""
    at: int
    """When, in microseconds of the Redis server's clock; 0 where it wasn't asked."""
    starts_in_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Wait:
    """One request may not be sent yet. It is asked for again after so many seconds, at the earliest."""

    seconds: float
    bucket: Obstacle


@dataclass(frozen=True, slots=True)
class TooLarge:
    """One request can never be sent: its prompt has more tokens than a minute's limit."""

    input_tokens: int
    limit: int

    def __str__(self) -> str:
        return (
            f"a prompt of {self.input_tokens:,} tokens is more than the {self.limit:,} that this account may send in a"
            " minute in real time: send it in a batch, divide it, or raise the account's tier"
        )


Answer: TypeAlias = Grant | Wait | TooLarge
