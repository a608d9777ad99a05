"""Bootstrap weights over entities: partners are drawn, not rows, since rows of one partner are alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CHUNK_CELLS = 4_000_000  # replicate × row cells held at once: 32 MB


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % bootstrap interval; NaN where it cannot be known.

    Attributes:
        value: The figure on the data as it is.
        low: 2.5 % quantile over draws of entities.
        high: 97.5 % quantile.
    """

    value: float
    low: float
    high: float

    @property
    def finite(self) -> bool:
        """Whether value and both bounds are finite."""
        return bool(np.isfinite([self.value, self.low, self.high]).all())


@dataclass(frozen=True)
class Resampler:
    """Seeded multinomial weights over entities; the first replicate is the data as it is.

    Args:
        entity: (n,) code of each row's entity, 0-based.
        replicates: Number of draws.
        seed: Seed; the same seed and entities give the same draws, so that differences are paired.
    """

    entity: NDArray[np.int64]
    replicates: int
    seed: int

    def chunks(self) -> Iterator[Floats]:
        """Blocks of (draws, n) row weights, together `replicates + 1` rows."""
        entities = int(self.entity.max()) + 1 if self.entity.size else 0
        step = max(1, CHUNK_CELLS // max(self.entity.size, 1))
        rng = np.random.default_rng(self.seed)
        yield np.ones((1, self.entity.size))
        for start in range(0, self.replicates if entities else 0, step):
            size = min(step, self.replicates - start)
            drawn = rng.multinomial(entities, np.full(entities, 1.0 / entities), size=size)
            yield drawn[:, self.entity].astype(float)


def estimate(draws: Floats, *, min_share: float = 0.9) -> Estimate:
    """Value and interval from replicates whose first is the data as it is.

    Args:
        draws: (replicates + 1,) figures; NaN where a draw could not be judged (one class only).
        min_share: Share of draws that must be finite; below it the interval is NaN, never a guess.
    """
    value, rest = float(draws[0]), draws[1:]
    known = rest[np.isfinite(rest)]
    if not np.isfinite(value):
        return Estimate(float("nan"), float("nan"), float("nan"))
    if known.size == 0 or known.size < min_share * rest.size:
        return Estimate(value, float("nan"), float("nan"))
    low, high = np.quantile(known, [0.025, 0.975])
    return Estimate(value, float(low), float(high))
