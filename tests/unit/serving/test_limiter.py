from __future__ import annotations

from serving.limiter import MAX_CLIENTS, DenialLimiter
from tests.unit.serving.world import Clock


def test_failures_within_the_limit_are_failures_and_further_ones_too_many() -> None:
    clock = Clock()
    limiter = DenialLimiter(3, clock=lambda: clock.ticks)
    assert [limiter.failed("a") for _ in range(5)] == [0, 0, 0, 60, 60]
    assert limiter.failed("b") == 0


def test_a_new_minute_begins_anew() -> None:
    clock = Clock()
    limiter = DenialLimiter(1, clock=lambda: clock.ticks)
    limiter.failed("a")
    clock.advance(45)
    assert limiter.failed("a") == 15
    clock.advance(15)
    assert limiter.failed("a") == 0


def test_memory_is_bounded_whoever_calls() -> None:
    limiter = DenialLimiter(1, clock=lambda: 0.0)
    for i in range(MAX_CLIENTS + 500):
        limiter.failed(f"client {i}")
    assert len(limiter) == MAX_CLIENTS
