"""Chance that can be repeated: numbers in [0, 1) drawn from a hash, never from the order of creation."""

from __future__ import annotations

import hashlib


def draw(*parts: object) -> float:
    """A number in [0, 1) that depends on nothing but the parts.

    >>> draw(7, "tie", "L1", "P1") == draw(7, "tie", "L1", "P1")
    True
    """
    text = "\x1f".join(str(p) for p in parts)
    first = hashlib.sha256(text.encode()).digest()[:7]
    return (int.from_bytes(first, "big") >> 3) / (1 << 53)
