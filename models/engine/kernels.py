"""The inner loops, written for numba: plain loops over 64 rows at a time that become vector instructions.

Nothing is compiled on import (`compiled()` does it, once per process, in seconds) and nothing is cached on
disk: numba's cache is a pickle beside the installed package, which may be read-only and must not be trusted.
All kernels release the GIL, keep LightGBM's order of additions (no fast-math), and allocate their own
scratch, so threads may share an engine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from models.engine.layout import (
    ALL_LEAVES,
    BLOCK,
    DE_BRUIJN,
    ZERO_WITHIN,
    Columns,
    Integers,
    Masks,
    Nodes,
    Reals,
)

# Up to here counting all cut points, which vectorises, beats a binary search, which does not.
_COUNT_CUTS = 40
Kernel = Callable[..., Any]


def encode(x: Reals, low: int, rows: int, width: int, columns: Columns, value: Reals, at: Integers, codes: Any) -> None:
    """Codes of `rows` rows from row `low` on, code column by code column; `width` >= rows are worked on."""
    for c in range(columns.source.size):
        source, missing, begin = columns.source[c], columns.missing[c], columns.start[c]
        cuts = columns.start[c + 1] - begin
        for r in range(rows):
            v = x[low + r, source]
            if np.isnan(v):
                if missing != 2:
                    v = 0.0
            elif abs(v) <= ZERO_WITHIN:
                v = 0.0
            value[r] = v
        if cuts <= _COUNT_CUTS:
            for r in range(width):
                at[r] = 1
            for k in range(begin, begin + cuts):
                cut = columns.cuts[k]
                for r in range(width):
                    at[r] += np.int64(cut < value[r])
        else:
            for r in range(width):
                at[r] = begin
            left = cuts
            while left > 1:
                half = left // 2
                # Without a branch: which way it goes cannot be predicted.
                for r in range(width):
                    at[r] += half * np.int64(columns.cuts[at[r] + half - 1] < value[r])
                left -= half
            for r in range(width):
                at[r] += 1 - begin + np.int64(columns.cuts[at[r]] < value[r])
        for r in range(width):
            codes[c, r] = np.int32(at[r])
        code = columns.missing_code[c]
        if missing == 2:
            for r in range(width):
                codes[c, r] = code if np.isnan(value[r]) else codes[c, r]
        elif missing == 1:
            for r in range(width):
                codes[c, r] = code if value[r] == 0.0 else codes[c, r]


def rule_out(nodes: Nodes, tree: int, width: int, codes: Any, alive: Masks) -> None:
    """Take from `alive` the leaves that one tree's splits rule out."""
    for j in range(nodes.start[tree], nodes.start[tree + 1]):
        column, code_at, keeps = nodes.column[j], nodes.code_at[j], nodes.keeps[j]
        for r in range(width):
            alive[r] &= ALL_LEAVES if codes[column, r] <= code_at else keeps


def add_leaf(values: Reals, width: int, alive: Masks, total: Reals) -> None:
    """Add the value of the lowest leaf alive."""
    for r in range(width):
        lowest = np.uint32(alive[r] & np.uint32(~alive[r] + np.uint32(1)))
        total[r] += values[np.uint32(lowest * DE_BRUIJN) >> np.uint32(27)]


def make_raw(encode: Kernel, rule_out: Kernel, add_leaf: Kernel) -> Kernel:
    """Raw scores of whole rows."""

    def raw(x: Reals, columns: Columns, nodes: Nodes, leaf_value: Reals, out: Reals) -> None:
        codes = np.zeros((columns.source.size, BLOCK), np.int32)
        value, at, total = np.zeros(BLOCK), np.zeros(BLOCK, np.int64), np.zeros(BLOCK)
        alive = np.empty(BLOCK, np.uint32)
        for low in range(0, x.shape[0], BLOCK):
            rows = min(BLOCK, x.shape[0] - low)
            width = min(BLOCK, (rows + 7) // 8 * 8)
            encode(x, low, rows, width, columns, value, at, codes)
            total[:] = 0.0
            for tree in range(leaf_value.shape[0]):
                alive[:] = ALL_LEAVES
                rule_out(nodes, tree, width, codes, alive)
                add_leaf(leaf_value[tree], width, alive, total)
            out[low : low + rows] = total[:rows]

    return raw


def make_masks(encode: Kernel, rule_out: Kernel) -> Kernel:
    """Leaves that the splits on some columns leave alive, for every tree and row: (blocks, trees, 64)."""

    def masks(x: Reals, columns: Columns, nodes: Nodes, out: Any) -> None:
        codes = np.zeros((columns.source.size, BLOCK), np.int32)
        value, at = np.zeros(BLOCK), np.zeros(BLOCK, np.int64)
        for low in range(0, x.shape[0], BLOCK):
            rows = min(BLOCK, x.shape[0] - low)
            encode(x, low, rows, BLOCK, columns, value, at, codes)
            for tree in range(nodes.start.size - 1):
                alive = out[low // BLOCK, tree]
                alive[:] = ALL_LEAVES
                rule_out(nodes, tree, BLOCK, codes, alive)

    return masks


def make_factored(encode: Kernel, rule_out: Kernel, add_leaf: Kernel) -> Kernel:
    """Raw scores from resident masks, one request's masks and a pair matrix.

    `chosen` names resident rows; when it is empty, all of them are scored in order.
    """

    def factored(
        resident: Any, chosen: Integers, request: Masks, pair: Reals, columns: Columns, nodes: Nodes,
        leaf_value: Reals, out: Reals,
    ) -> None:  # fmt: skip
        codes = np.zeros((columns.source.size, BLOCK), np.int32)
        value, at, total = np.zeros(BLOCK), np.zeros(BLOCK, np.int64), np.zeros(BLOCK)
        alive = np.empty(BLOCK, np.uint32)
        for low in range(0, out.size, BLOCK):
            rows = min(BLOCK, out.size - low)
            encode(pair, low, rows, BLOCK, columns, value, at, codes)
            total[:] = 0.0
            for tree in range(leaf_value.shape[0]):
                shared = request[tree]
                if chosen.size:
                    for r in range(rows):
                        row = chosen[low + r]
                        alive[r] = resident[row // BLOCK, tree, row % BLOCK] & shared
                else:
                    for r in range(BLOCK):
                        alive[r] = resident[low // BLOCK, tree, r] & shared
                rule_out(nodes, tree, BLOCK, codes, alive)
                add_leaf(leaf_value[tree], BLOCK, alive, total)
            out[low : low + rows] = total[:rows]

    return factored
