"""The flat arrays compiled code reads. Named tuples, because numba takes them as arguments.

Everything here was built from checked trees (`models.engine.trees.check_tree`): every index is in range.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Rows worked on together: their codes, masks and patterns stay in the fastest cache.
BLOCK = 64
MOST_LEAVES = 32
ALL_LEAVES = np.uint32(0xFFFFFFFF)
# LightGBM takes anything this close to zero for zero.
ZERO_WITHIN = float(np.float32(1e-35))
# Codes of values run from 1; missing takes a code below or above all of them.
MISSING_LOW, MISSING_HIGH = 0, 2**31 - 1
# Multiplying an isolated bit by this leaves a number of its own in the top five bits (de Bruijn sequence).
DE_BRUIJN = np.uint32(0x077CB531)

Integers = NDArray[np.int64]
Masks = NDArray[np.uint32]
Reals = NDArray[np.float64]


class Columns(NamedTuple):
    """Code columns: where they read, how they treat missing values, and their sorted cut points."""

    source: Integers
    missing: Integers
    missing_code: NDArray[np.int32]
    start: Integers
    cuts: Reals


class Nodes(NamedTuple):
    """Splits, tree after tree: `code <= code_at` goes left; otherwise only the leaves in `keeps` remain."""

    start: Integers
    column: Integers
    code_at: NDArray[np.int32]
    keeps: Masks


class Units(NamedTuple):
    """Tabulated units (see `models.engine.units`); unit u's table is slot-major from `table_start[u]`."""

    start: Integers
    bit_start: Integers
    need: Masks
    want: Masks
    slot_start: Integers
    slots: Integers
    table_start: Integers
    table: Reals


class Leaves(NamedTuple):
    """Leaves with the distinct features of their paths, for tables or for direct evaluation.

    `start` counts leaves by owner: by unit when tables are built, by tree when leaves stand alone.
    """

    start: Integers
    value: Reals
    path_start: Integers
    slot: Integers
    share: Reals
    need: Masks
    want: Masks


def integers(values: Any) -> Integers:
    """Whole numbers as compiled code wants them."""
    return np.array(values, dtype=np.int64)


def masks(values: Any) -> Masks:
    """Bit masks as compiled code wants them."""
    return np.array(values, dtype=np.uint32)


def reals(values: Any) -> Reals:
    """Real numbers as compiled code wants them."""
    return np.array(values, dtype=np.float64)
