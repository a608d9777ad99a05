"""Random numbers that belong to an entity, not to the order in which things are generated.

One `SeedSequence.spawn` per entity and stream would be right and slow: a million tiny generators. Here a
`SeedSequence` gives one 64-bit key per named stream, and the indices of the entity, the step and the draw are
mixed into it (splitmix64, a counter-based generator). Each draw is thus a pure function of
(seed, stream, indices): adding partners, shuffling them or generating them in chunks changes no draw.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

Floats = npt.NDArray[Any]  # float64
Ints = npt.NDArray[Any]  # int64

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


@lru_cache(maxsize=1024)
def stream_key(seed: int, stream: str) -> np.uint64:
    """The 64-bit key of a named stream."""
    sequence = np.random.SeedSequence([seed, *stream.encode()])
    return np.uint64(sequence.generate_state(1, np.uint64)[0])


def bits(seed: int, stream: str, *indices: Any) -> npt.NDArray[np.uint64]:
    """64 random bits for every combination of the broadcast indices (integers ≥ 0)."""
    state = np.full(1, stream_key(seed, stream), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for index in indices:
            state = _mix(state + _GOLDEN * (np.asarray(index).astype(np.uint64) + np.uint64(1)))
    return state


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * _MIX_1
    state = (state ^ (state >> np.uint64(27))) * _MIX_2
    return state ^ (state >> np.uint64(31))


def uniform(seed: int, stream: str, *indices: Any) -> Floats:
    """Uniform in the open interval (0, 1)."""
    return ((bits(seed, stream, *indices) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normal(seed: int, stream: str, *indices: Any) -> Floats:
    """Standard normal."""
    return np.asarray(ndtri(uniform(seed, stream, *indices)), dtype=np.float64)


def below(limit: Any, seed: int, stream: str, *indices: Any) -> Ints:
    """Integers in [0, limit); `limit` may be an array."""
    return np.floor(uniform(seed, stream, *indices) * limit).astype(np.int64)


def choice(weights: Any, seed: int, stream: str, *indices: Any) -> Ints:
    """Codes 0..k-1 with the given weights (one set for all)."""
    cumulative = np.cumsum(np.asarray(weights, dtype=np.float64))
    draws = uniform(seed, stream, *indices) * cumulative[-1]
    return np.searchsorted(cumulative[:-1], draws, side="right").astype(np.int64)


def poisson(mean: Any, seed: int, stream: str, *indices: Any) -> Ints:
    """Poisson counts by inversion; meant for means up to some hundreds."""
    draws = uniform(seed, stream, *indices)
    draws, lam = (np.ascontiguousarray(a).ravel() for a in np.broadcast_arrays(draws, mean))
    shape = np.broadcast_shapes(np.shape(mean), np.broadcast_shapes(*(np.shape(i) for i in indices)))
    counts = np.zeros(draws.size, dtype=np.int64)
    mass = np.exp(-lam)
    rows = np.flatnonzero(draws > mass)
    left, term, rate = draws[rows] - mass[rows], mass[rows], lam[rows]
    step = 0
    while rows.size and step < 2000:
        step += 1
        counts[rows] = step
        term = term * rate / step
        left = left - term
        keep = (left > 0) & ((term > 0) | (step < rate))
        rows, left, term, rate = rows[keep], left[keep], term[keep], rate[keep]
    return counts.reshape(shape)


def expand(counts: Ints) -> tuple[Ints, Ints]:
    """Row numbers repeated by their counts, and the running number within each row."""
    flat = counts.ravel()
    rows = np.repeat(np.arange(flat.size), flat)
    starts = np.cumsum(flat) - flat
    return rows, np.arange(rows.size) - np.repeat(starts, flat)
