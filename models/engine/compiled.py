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
class ScoringKernels:
    """Compiled entry points for scores."""

    score: Kernel
    masks: Kernel


@dataclass(frozen=True)
class ReasonKernels:
    """Compiled entry points for contributions."""

    contributions: Kernel
    build_tables: Kernel


class _Compiler:
    """Compiles each set of kernels once; whoever comes meanwhile waits for it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._shared: tuple[_Types, Kernel, Kernel, Kernel] | None = None
        self._scoring: ScoringKernels | None = None
        self._reasons: ReasonKernels | None = None

    def scoring(self) -> ScoringKernels:
        with self._lock:
            if self._scoring is None:
                self._scoring = _compile_scoring(*self._parts())
            return self._scoring

    def reasons(self) -> ReasonKernels:
        with self._lock:
            if self._reasons is None:
                self._reasons = _compile_reasons(*self._parts())
            return self._reasons

    def _parts(self) -> tuple[_Types, Kernel, Kernel, Kernel]:
        if self._shared is None:
            t = _types()
            encode = _jit(scoring.encode, t.matrix, *t.sizes(3), t.columns, t.row, t.ints, t.codes)
            rule_out = _jit(scoring.rule_out, t.nodes, *t.sizes(2), t.codes, t.mask)
            add_leaf = _jit(scoring.add_leaf, t.wide, *t.sizes(2), t.mask, t.row)
            self._shared = t, encode, rule_out, add_leaf
        return self._shared


_compiler = _Compiler()


def scoring_kernels() -> ScoringKernels:
    """The kernels for scores; the first call in a process compiles them (seconds)."""
    return _compiler.scoring()


def reason_kernels() -> ReasonKernels:
    """The kernels for contributions; the first call in a process compiles them (seconds)."""
    return _compiler.reasons()


def warm_up() -> float:
    """Compile everything now, so that no request waits for it. Returns the seconds it took."""
    started = time.perf_counter()
    scoring_kernels()
    reason_kernels()
    return time.perf_counter() - started


def _jit(kernel: Kernel, *signature: Any) -> Kernel:
    import numba

    # Division by zero cannot happen (row counts are positive); "numpy" spares the test for it.
    return numba.njit(numba.void(*signature), nogil=True, error_model="numpy")(kernel)


def _compile_scoring(t: _Types, encode: Kernel, rule_out: Kernel, add_leaf: Kernel) -> ScoringKernels:
    score = scoring.make_score(encode, rule_out, add_leaf)
    masks = scoring.make_masks(encode, rule_out)
    return ScoringKernels(
        score=_jit(score, t.matrix, t.columns, t.nodes, t.mask, t.cube, t.ints, t.wide, t.row),
        masks=_jit(masks, t.matrix, t.columns, t.nodes, t.cube),
    )


def _compile_reasons(t: _Types, encode: Kernel, rule_out: Kernel, add_leaf: Kernel) -> ReasonKernels:
    decide = _jit(reasons.decide, t.nodes, *t.sizes(2), t.codes, t.mask)
    add_unit = _jit(reasons.add_unit, t.units, *t.sizes(2), t.mask, t.mask, t.wide)
    add_deep = _jit(reasons.add_deep, t.leaves, *t.sizes(2), t.mask, t.wide, t.wide, t.row, t.wide)
    whole = reasons.make_contributions(encode, rule_out, add_leaf, decide, add_unit, add_deep)
    inputs = (t.matrix, t.columns, t.nodes, t.ints, t.wide, t.units, t.leaves, t.wide, t.wide)
    return ReasonKernels(
        contributions=_jit(whole, *inputs, t.wide),
        build_tables=_jit(reasons.build_tables, t.leaves, t.units, t.wide, t.wide),
    )


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
    size: Any

    def sizes(self, count: int) -> tuple[Any, ...]:
        """That many whole numbers."""
        return (self.size,) * count


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
        units=numba.typeof(Units(no_int, no_int, no_mask, no_mask, no_int, no_int, no_int, no_real)),
        size=numba.int64,
    )
