"""Bring what callers hand in into the one shape compiled code accepts, or say what is wrong with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.engine.layout import Integers, Reals

_MOST_GROUPS = 100_000


def as_matrix(given: Any, *, columns: int, name: str = "X") -> Reals:
    """A C-contiguous float64 matrix; float32 and whole numbers are widened, as LightGBM does.

    Raises:
        ValueError: It does not have two dimensions or as many columns as needed.
    """
    matrix = np.ascontiguousarray(given, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != columns:
        raise ValueError(
            f"{name} has shape {matrix.shape}; allowed: (rows, {columns}), columns in model order."
        )
    return matrix


def as_row(given: Any, *, columns: int) -> Reals:
    """One row of values as a matrix."""
    return as_matrix(
        np.asarray(given, dtype=np.float64).reshape(1, -1), columns=columns, name="the request's values"
    )


def as_groups(given: Any, *, columns: int) -> Integers:
    """For each column the number of its group, from 0 on.

    Raises:
        ValueError: There is not one whole number >= 0 for each column.
    """
    groups = np.ascontiguousarray(given)
    whole = groups.shape == (columns,) and np.issubdtype(groups.dtype, np.integer)
    if not whole or groups.min(initial=0) < 0 or groups.max(initial=0) >= _MOST_GROUPS:
        raise ValueError(f"groups has shape {groups.shape}; allowed: {columns} group numbers from 0 on.")
    return groups.astype(np.int64)


def as_rows(given: Any, *, count: int) -> Integers:
    """Positions of chosen resident rows.

    Raises:
        ValueError: A position is outside the prepared block.
    """
    rows = np.ascontiguousarray(given, dtype=np.int64).reshape(-1)
    if rows.size and (rows.min() < 0 or rows.max() >= count):
        raise ValueError(f"rows run from {rows.min()} to {rows.max()}; allowed: 0 to {count - 1}.")
    return rows
