"""A draw that anybody can make again: a number in [0, 1) from a seed and names, by SHA-256."""

from __future__ import annotations

import hashlib


def draw(seed: int, *names: str | int) -> float:
    """Uniform in [0, 1); the same seed and names give the same number everywhere.

    Args:
        seed: Seed of the policy.
        names: What the draw is for, such as partner and cycle.
    """
    text = "\x1f".join(str(n) for n in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64
