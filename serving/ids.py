"""Identifiers that sort by time: 48 bits of milliseconds, 80 bits of randomness, in Crockford's base 32."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LENGTH = 26


def encode(value: int, *, length: int = LENGTH) -> str:
    """The least significant bits of `value`, five a character."""
    return "".join(ALPHABET[(value >> (5 * i)) & 31] for i in reversed(range(length)))


def new_id(prefix: str, *, at: datetime, random: Callable[[int], bytes]) -> str:
    """A new identifier such as `dec_01J…`.

    Args:
        prefix: What it identifies.
        at: The time, naive UTC.
        random: Source of random bytes.
    """
    millis = int(at.replace(tzinfo=UTC).timestamp() * 1000) & ((1 << 48) - 1)
    return f"{prefix}_{encode((millis << 80) | int.from_bytes(random(10), 'big'))}"
