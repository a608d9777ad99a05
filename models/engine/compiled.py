"""Compile the kernels, once per process and only when asked."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.engine import kernels as scoring
from models.engine import reasons
from models.engine.kernels import Kernel
from models.engine.layout import Columns, Leaves, Nodes, Units, integers, masks, reals


@dataclass(frozen=True)
class Kernels:
    """Compiled entry points; `seconds` is what compiling took."""

    raw: Kernel
    masks: Kernel
    factored: Kernel
    contributions: Kernel
    build_tables: Kernel
    seconds: float


_lock = threading.Lock()
_kernels: list[Kernels] = []


def kernels() -> Kernels:
    """The compiled kernels; the first call compiles them (seconds), others wait for it."""
    with _lock:
        if not _kernels:
            _kernels.append(_compile())
        return _kernels[0]


def warm_up() -> float:
    """Compile now, so that no request waits for it. Returns the seconds it took, in this process."""
    return kernels().seconds


def _compile() -> Kernels:
    started = time.perf_counter()
    import numba

    t = _types()
    columns, nodes, leaves, units = t.columns, t.nodes, t.leaves, t.units
    size, block = numba.int64, (numba.int64, numba.int64)

    def jit(kernel: Kernel, *signature: Any) -> Kernel:
        # Division by zero cannot happen (counts are positive); "numpy" spares the test for it.
        return numba.njit(numba.void(*signature), nogil=True, error_model="numpy")(kernel)

    encode = jit(
        scoring.encode, t.matrix, size, *block, columns, t.row, t.ints, t.codes
    )
    rule_out = jit(scoring.rule_out, nodes, *block, t.codes, t.mask)
    add_leaf = jit(scoring.add_leaf, t.row, size, t.mask, t.row)
    decide = jit(reasons.decide, nodes, *block, t.codes, t.mask)
    add_unit = jit(reasons.add_unit, units, *block, t.mask, t.mask, t.wide)
    add_deep = jit(reasons.add_deep, leaves, *block, t.mask, t.wide, t.wide, t.row, t.wide)
    return Kernels(
        raw=jit(scoring.make_raw(encode, rule_out, add_leaf), t.matrix, columns, nodes, t.wide, t.row),
        masks=jit(scoring.make_masks(encode, rule_out), t.matrix, columns, nodes, t.cube),
        factored=jit(
            scoring.make_factored(encode, rule_out, add_leaf),
            t.cube, t.ints, t.mask, t.matrix, columns, nodes, t.wide, t.row,
        ),
        contributions=jit(
            reasons.make_contributions(encode, rule_out, add_leaf, decide, add_unit, add_deep),
            t.matrix, columns, nodes, t.ints, t.wide, units, leaves, t.wide, t.wide, t.wide,
        ),
        build_tables=jit(reasons.build_tables, leaves, units, t.wide, t.wide),
        seconds=time.perf_counter() - started,
    )  # fmt: skip


@dataclass(frozen=True)
class _Types:
    matrix: Any  # input rows: float64, may be read-only
    wide: Any
    row: Any
    ints: Any
    codes: Any
    mask: Any
    cube: Any
    columns: Any
    nodes: Any
    leaves: Any
    units: Any


def _types() -> _Types:
    import numba

    no_int, no_mask, no_real = integers([]), masks([]), reals([])
    no_code = np.zeros(0, dtype=np.int32)
    return _Types(
        matrix=numba.types.Array(numba.float64, 2, "C", readonly=True),
        wide=numba.float64[:, ::1],
        row=numba.float64[::1],
        ints=numba.int64[::1],
        codes=numba.int32[:, ::1],
        mask=numba.uint32[::1],
        cube=numba.uint32[:, :, ::1],
        columns=numba.typeof(Columns(no_int, no_int, no_code, no_int, no_real)),
        nodes=numba.typeof(Nodes(no_int, no_int, no_code, no_mask)),
        leaves=numba.typeof(Leaves(no_int, no_real, no_int, no_int, no_real, no_mask, no_mask)),
        units=numba.typeof(
            Units(no_int, no_int, no_mask, no_mask, no_int, no_int, no_int, no_real),
        ),
    )
