"""Lay a checked model out as flat arrays for bit-mask scoring (QuickScorer).

Every split is turned into one comparison of small integers. A *code column* is a model column together with
one way to treat missing values; its code counts the model's own cut points below the value, so
`code <= node_code` is exactly `value <= threshold` in float64. Leaves are numbered from left to right: going
right at a node rules out the leaves of its left subtree, and the lowest leaf left over is where the row ends.

Source: Lucchese et al., "QuickScorer", SIGIR 2015.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.engine.layout import (
    ALL_LEAVES,
    DE_BRUIJN,
    MISSING_HIGH,
    MISSING_LOW,
    MOST_LEAVES,
    Columns,
    Integers,
    Nodes,
    Reals,
    integers,
    masks,
    reals,
)
from models.engine.trees import DEFAULT_LEFT, MISSING_NONE, MISSING_SHIFT, Tree


@dataclass(frozen=True)
class Forest:
    """A whole model; `leaf_value[t, s]` is the value of the leaf whose isolated bit hashes to slot s."""

    features: int
    columns: Columns
    nodes: Nodes
    leaf_value: Reals
    expected: Reals

    @property
    def trees(self) -> int:
        """Number of trees."""
        return len(self.expected)


def build_forest(trees: tuple[Tree, ...], *, features: int) -> Forest:
    """Compile checked trees.

    Args:
        trees: In scoring order, at most 32 leaves each.
        features: Columns of the model.
    """
    columns, position = _columns(trees)
    expected = reals([t.expected_value() for t in trees])
    values = np.stack([_leaf_values(t) for t in trees])
    return Forest(features, columns, _nodes(trees, columns, position), values, expected)


def leaf_order(tree: Tree) -> list[int]:
    """LightGBM's leaf numbers from left to right."""
    if tree.leaves == 1:
        return [0]
    order, waiting = [], [0]
    while waiting:
        child = waiting.pop()
        if child < 0:
            order.append(~child)
        else:
            waiting += [int(tree.right[child]), int(tree.left[child])]
    return order


def leaf_masks(tree: Tree) -> list[int]:
    """For each node the leaves (bits, left to right) of its left subtree."""
    bit = {~leaf: 1 << i for i, leaf in enumerate(leaf_order(tree))}

    def below(child: int) -> int:
        return bit[child] if child < 0 else below(int(tree.left[child])) | below(int(tree.right[child]))

    return [below(int(child)) for child in tree.left]


def slot_of_bit(bit: int) -> int:
    """The table slot of leaf number `bit`."""
    return ((1 << bit) * int(DE_BRUIJN) & 0xFFFFFFFF) >> 27


def _leaf_values(tree: Tree) -> NDArray[np.float64]:
    values = np.zeros(MOST_LEAVES)
    for bit, leaf in enumerate(leaf_order(tree)):
        values[slot_of_bit(bit)] = tree.leaf_value[leaf]
    return values


_Key = tuple[int, int, int]


def _key(feature: int, decision: int) -> _Key:
    missing = decision >> MISSING_SHIFT
    # Without a missing type the default direction is never taken: one column serves both.
    goes_left = 0 if missing == MISSING_NONE else decision & DEFAULT_LEFT
    return feature, missing, goes_left


def _columns(trees: tuple[Tree, ...]) -> tuple[Columns, dict[_Key, int]]:
    cuts: dict[_Key, set[float]] = {}
    for tree in trees:
        for f, d, cut in zip(
            tree.feature.tolist(), tree.decision.tolist(), tree.threshold.tolist(), strict=True
        ):
            cuts.setdefault(_key(f, d), set()).add(cut)
    keys = sorted(cuts)
    ends = np.cumsum([0, *(len(cuts[k]) for k in keys)])
    columns = Columns(
        source=integers([k[0] for k in keys]),
        missing=integers([k[1] for k in keys]),
        missing_code=np.array([MISSING_LOW if k[2] else MISSING_HIGH for k in keys], dtype=np.int32),
        start=integers(ends),
        cuts=reals([c for k in keys for c in sorted(cuts[k])]),
    )
    return columns, {k: i for i, k in enumerate(keys)}


def _nodes(trees: tuple[Tree, ...], columns: Columns, position: dict[_Key, int]) -> Nodes:
    column, code, keeps = [], [], []
    for tree in trees:
        left_leaves = leaf_masks(tree)
        for i, (f, d, cut) in enumerate(zip(tree.feature, tree.decision, tree.threshold, strict=True)):
            at = position[_key(int(f), int(d))]
            begin, end = columns.start[at], columns.start[at + 1]
            column.append(at)
            code.append(1 + int(np.searchsorted(columns.cuts[begin:end], cut)))
            keeps.append(int(ALL_LEAVES) & ~left_leaves[i])
    return Nodes(
        start=integers(np.cumsum([0, *(t.leaves - 1 for t in trees)])),
        column=integers(column),
        code_at=np.array(code, dtype=np.int32),
        keeps=masks(keeps),
    )


def select(forest: Forest, features: Integers) -> tuple[Columns, Nodes]:
    """Only the splits on some model columns; they read from a matrix that holds just those, in that order."""
    place = {int(f): i for i, f in enumerate(features)}
    old = forest.columns
    kept = [c for c, f in enumerate(old.source.tolist()) if f in place]
    sizes = [int(old.start[c + 1] - old.start[c]) for c in kept]
    columns = Columns(
        source=integers([place[int(old.source[c])] for c in kept]),
        missing=old.missing[kept],
        missing_code=old.missing_code[kept],
        start=integers(np.cumsum([0, *sizes])),
        cuts=reals([x for c in kept for x in old.cuts[old.start[c] : old.start[c + 1]]]),
    )
    return columns, _select_nodes(forest.nodes, {c: i for i, c in enumerate(kept)})


def _select_nodes(nodes: Nodes, place: dict[int, int]) -> Nodes:
    used = np.isin(nodes.column, integers(list(place)))
    before = np.concatenate([[0], np.cumsum(used)])
    return Nodes(
        start=integers(before[nodes.start]),
        column=integers([place[int(c)] for c in nodes.column[used]]),
        code_at=nodes.code_at[used],
        keeps=nodes.keeps[used],
    )
