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


def encode(
    x: Reals, low: int, rows: int, width: int, columns: Columns, value: Reals, at: Integers, codes: Any
) -> None:
    """Codes of `rows` rows from row `low` on, code column by code column; `width` >= rows are worked on."""
    for c in range(columns.source.size):
        source, missing, begin = columns.source[c], columns.missing[c], columns.start[c]
        cuts = columns.start[c + 1] - begin
        for r in range(width):
            v = x[low + min(r, rows - 1), source]
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


def add_leaf(values: Reals, tree: int, width: int, alive: Masks, total: Reals) -> None:
    """Add the value of the lowest leaf alive."""
    for r in range(width):
        lowest = np.uint32(alive[r] & np.uint32(~alive[r] + np.uint32(1)))
        total[r] += values[tree, np.uint32(lowest * DE_BRUIJN) >> np.uint32(27)]


def make_score(encode: Kernel, rule_out: Kernel, add_leaf: Kernel) -> Kernel:
    """Raw scores: what is alive beforehand, minus what the splits on the given matrix rule out.

    `before[t]` holds for all rows. `resident`, when not empty, holds masks of known rows (blocks, trees, 64);
    `chosen` names the resident rows to score, and when it is empty they are scored in order.
    """

    def score(
        x: Reals, columns: Columns, nodes: Nodes, before: Masks, resident: Any, chosen: Integers,
        leaf_value: Reals, out: Reals,
    ) -> None:  # fmt: skip
        codes = np.empty((columns.source.size + 1, BLOCK), np.int32)
        value, at, total = np.empty(BLOCK), np.empty(BLOCK, np.int64), np.empty(BLOCK)
        alive, place = np.empty(BLOCK, np.uint32), np.empty((2, BLOCK), np.int64)
        for low in range(0, out.size, BLOCK):
            rows = min(BLOCK, out.size - low)
            width = min(BLOCK, (rows + 7) // 8 * 8)
            if chosen.size > 0:
                for r in range(width):
                    row = chosen[low + min(r, rows - 1)]
                    place[0, r], place[1, r] = row // BLOCK, row % BLOCK
            encode(x, low, rows, width, columns, value, at, codes)
            for r in range(width):
                total[r] = 0.0
            for tree in range(leaf_value.shape[0]):
                mask = before[tree]
                if resident.size == 0:
                    for r in range(width):
                        alive[r] = mask
                elif chosen.size == 0:
                    for r in range(width):
                        alive[r] = resident[low // BLOCK, tree, r] & mask
                else:
                    for r in range(width):
                        alive[r] = resident[place[0, r], tree, place[1, r]] & mask
                rule_out(nodes, tree, width, codes, alive)
                add_leaf(leaf_value, tree, width, alive, total)
            for r in range(rows):
                out[low + r] = total[r]

    return score


def make_masks(encode: Kernel, rule_out: Kernel) -> Kernel:
    """Leaves that the splits on some columns leave alive, for every tree and row: (blocks, trees, 64)."""

    def masks(x: Reals, columns: Columns, nodes: Nodes, out: Any) -> None:
        codes = np.empty((columns.source.size + 1, BLOCK), np.int32)
        value, at, alive = np.empty(BLOCK), np.empty(BLOCK, np.int64), np.empty(BLOCK, np.uint32)
        for low in range(0, x.shape[0], BLOCK):
            rows = min(BLOCK, x.shape[0] - low)
            encode(x, low, rows, BLOCK, columns, value, at, codes)
            for tree in range(nodes.start.size - 1):
                for r in range(BLOCK):
                    alive[r] = ALL_LEAVES
                rule_out(nodes, tree, BLOCK, codes, alive)
                for r in range(BLOCK):
                    out[low // BLOCK, tree, r] = alive[r]

    return masks
