"""The inner loops of contributions, written for numba: tables are read, deep leaves worked out directly.

A leaf gives feature i of its path `value · (on_i - share_i) · ∫₀¹ Π_{j≠i} (share_j (1-t) + on_j t) dt`, which
is the Shapley sum written as an integral of a polynomial: a Gauss-Legendre rule with half as many points as
features is exact, and since all terms are positive nothing cancels.

Source: Yu et al., "Linear TreeShap", NeurIPS 2022 (the integral form); Lundberg et al. 2020 (the values).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.engine.kernels import Kernel
from models.engine.layout import (
    ALL_LEAVES,
    BLOCK,
    MOST_LEAVES,
    Columns,
    Integers,
    Leaves,
    Masks,
    Nodes,
    Reals,
    Units,
)

_MOST_POINTS = MOST_LEAVES // 2 + 1


def gauss_legendre() -> tuple[Reals, Reals]:
    """Points and weights on [0, 1]: row q holds the rule with q points."""
    points, weights = np.zeros((_MOST_POINTS, _MOST_POINTS)), np.zeros((_MOST_POINTS, _MOST_POINTS))
    for q in range(1, _MOST_POINTS):
        x, w = np.polynomial.legendre.leggauss(q)
        points[q, :q], weights[q, :q] = (x + 1) / 2, w / 2
    return points, weights


def build_tables(leaves: Leaves, units: Units, points: Reals, weights: Reals) -> None:
    """Fill `units.table`: for every unit and pattern what its leaves add to each of its slots."""
    factor, product = np.empty((MOST_LEAVES, _MOST_POINTS)), np.empty(_MOST_POINTS)
    on = np.empty(MOST_LEAVES)
    for u in range(units.bit_start.size - 1):
        bits = units.bit_start[u + 1] - units.bit_start[u]
        for pattern in range(1 << bits):
            for leaf in range(leaves.start[u], leaves.start[u + 1]):
                begin, size = leaves.path_start[leaf], leaves.path_start[leaf + 1] - leaves.path_start[leaf]
                q = (size + 1) // 2
                for k in range(q):
                    product[k] = weights[q, k] * leaves.value[leaf]
                for i in range(size):
                    share, met = (
                        leaves.share[begin + i],
                        pattern & leaves.need[begin + i] == leaves.want[begin + i],
                    )
                    on[i] = 1.0 if met else 0.0
                    for k in range(q):
                        factor[i, k] = share * (1.0 - points[q, k]) + on[i] * points[q, k]
                        product[k] *= factor[i, k]
                for i in range(size):
                    part = 0.0
                    for k in range(q):
                        part += product[k] / factor[i, k]
                    line = units.table_start[u] + (leaves.slot[begin + i] << bits) + pattern
                    units.table[line] += part * (on[i] - leaves.share[begin + i])


def decide(nodes: Nodes, tree: int, width: int, codes: Any, decided: Masks) -> None:
    """One bit for each split of a tree: set where the row goes left."""
    for r in range(width):
        decided[r] = np.uint32(0)
    begin = nodes.start[tree]
    for j in range(begin, nodes.start[tree + 1]):
        column, code_at = nodes.column[j], nodes.code_at[j]
        bit = np.uint32(np.uint32(1) << np.uint32(j - begin))
        for r in range(width):
            decided[r] |= bit if codes[column, r] <= code_at else np.uint32(0)


def add_unit(units: Units, u: int, width: int, decided: Masks, pattern: Masks, total: Any) -> None:
    """Look one unit up and add its line to the outputs."""
    for r in range(width):
        pattern[r] = np.uint32(0)
    begin, end = units.bit_start[u], units.bit_start[u + 1]
    for j in range(begin, end):
        need, want, bit = units.need[j], units.want[j], np.uint32(np.uint32(1) << np.uint32(j - begin))
        for r in range(width):
            pattern[r] |= bit if (decided[r] & need) == want else np.uint32(0)
    lines = np.int64(1) << (end - begin)
    first = units.slot_start[u]
    for k in range(first, units.slot_start[u + 1]):
        slot, at = units.slots[k], units.table_start[u] + (k - first) * lines
        table = units.table[at : at + lines]
        for r in range(width):
            total[slot, r] += table[pattern[r]]


def add_deep(
    leaves: Leaves, leaf: int, width: int, decided: Masks, points: Reals, weights: Reals,
    product: Reals, total: Any,
) -> None:  # fmt: skip
    """Work one leaf out for all rows, quadrature point by point; every factor is a constant if on, if off."""
    begin, end = leaves.path_start[leaf], leaves.path_start[leaf + 1]
    q = (end - begin + 1) // 2
    for k in range(q):
        t = points[q, k]
        for r in range(width):
            product[r] = weights[q, k] * leaves.value[leaf]
        for i in range(begin, end):
            need, want, share = leaves.need[i], leaves.want[i], leaves.share[i]
            on, off = share * (1.0 - t) + t, share * (1.0 - t)
            for r in range(width):
                product[r] *= on if (decided[r] & need) == want else off
        for i in range(begin, end):
            need, want, share, slot = leaves.need[i], leaves.want[i], leaves.share[i], leaves.slot[i]
            on, off = (1.0 - share) / (share * (1.0 - t) + t), -1.0 / (1.0 - t)
            for r in range(width):
                total[slot, r] += product[r] * (on if (decided[r] & need) == want else off)


def make_contributions(
    encode: Kernel, rule_out: Kernel, add_leaf: Kernel, decide: Kernel, add_unit: Kernel, add_deep: Kernel
) -> Kernel:
    """Contributions of whole rows, summed into slots; the expected value is left out."""

    def contributions(
        x: Reals, columns: Columns, nodes: Nodes, only_slot: Integers, leaf_delta: Reals, units: Units,
        deep: Leaves, points: Reals, weights: Reals, out: Reals,
    ) -> None:  # fmt: skip
        codes = np.empty((columns.source.size + 1, BLOCK), np.int32)
        value, at, product = np.empty(BLOCK), np.empty(BLOCK, np.int64), np.empty(BLOCK)
        decided, pattern = np.empty(BLOCK, np.uint32), np.empty(BLOCK, np.uint32)
        total = np.empty((out.shape[1], BLOCK))
        for low in range(0, x.shape[0], BLOCK):
            rows = min(BLOCK, x.shape[0] - low)
            width = min(BLOCK, (rows + 7) // 8 * 8)
            encode(x, low, rows, width, columns, value, at, codes)
            for slot in range(out.shape[1]):
                for r in range(width):
                    total[slot, r] = 0.0
            for tree in range(only_slot.size):
                if only_slot[tree] >= 0:
                    # All its splits feed one slot, so the slot gets all the tree says.
                    for r in range(width):
                        decided[r], product[r] = ALL_LEAVES, 0.0
                    rule_out(nodes, tree, width, codes, decided)
                    add_leaf(leaf_delta, tree, width, decided, product)
                    for r in range(width):
                        total[only_slot[tree], r] += product[r]
                else:
                    decide(nodes, tree, width, codes, decided)
                    for u in range(units.start[tree], units.start[tree + 1]):
                        add_unit(units, u, width, decided, pattern, total)
                    for leaf in range(deep.start[tree], deep.start[tree + 1]):
                        add_deep(deep, leaf, width, decided, points, weights, product, total)
            for r in range(rows):
                for slot in range(out.shape[1]):
                    out[low + r, slot] = total[slot, r]

    return contributions
