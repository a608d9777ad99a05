"""One decision tree as read from a LightGBM text, checked so thoroughly that compiled code may trust it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.errors import BundleError

# Bits of LightGBM's `decision_type`: 1 = categorical, 2 = missing goes left, then two bits of missing type.
CATEGORICAL, DEFAULT_LEFT, MISSING_SHIFT = 1, 2, 2
MISSING_NONE, MISSING_ZERO, MISSING_NAN = 0, 1, 2


@dataclass(frozen=True)
class Tree:
    """Arrays of one tree in LightGBM's own numbering: child >= 0 is a node, child < 0 is leaf `~child`.

    A tree that never split has no nodes and one leaf.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    decision: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    leaf_value: NDArray[np.float64]
    leaf_count: NDArray[np.int64]
    node_count: NDArray[np.int64]

    @property
    def leaves(self) -> int:
        """Number of leaves, at least 1."""
        return len(self.leaf_value)

    def cover(self, child: int) -> int:
        """Training rows that reached a node (child >= 0) or a leaf (child < 0)."""
        return int(self.node_count[child] if child >= 0 else self.leaf_count[~child])

    def expected_value(self) -> float:
        """Mean over the training rows, by the operations of LightGBM's `ExpectedValue` in its order."""
        if self.leaves == 1:
            return float(self.leaf_value[0])
        total = 0.0
        for count, value in zip(self.leaf_count.tolist(), self.leaf_value.tolist(), strict=True):
            total += count / int(self.node_count[0]) * value
        return total


def check_tree(tree: Tree, *, index: int, features: int) -> None:
    """Refuse a tree that could lead a walk astray or out of bounds.

    Args:
        tree: The tree as read.
        index: Its number, for the message.
        features: Number of columns of the model.

    Raises:
        BundleError: Links do not form one binary tree, a column does not exist, a number is not finite,
            or the row counts do not add up.
    """
    _check_numbers(tree, index=index, features=features)
    if tree.leaves > 1:
        _check_links(tree, index=index)
        _check_counts(tree, index=index)


def _check_numbers(tree: Tree, *, index: int, features: int) -> None:
    finite = np.isfinite(tree.leaf_value).all() and not np.isnan(tree.threshold).any()
    _demand(bool(finite), index, "a leaf value is not finite or a threshold is not a number")
    inside = (tree.feature >= 0) & (tree.feature < features)
    _demand(bool(inside.all()), index, f"a split uses a column outside 0..{features - 1}")
    known = (tree.decision >= 0) & (tree.decision >> MISSING_SHIFT <= MISSING_NAN)
    _demand(bool(known.all()), index, "a decision type is unknown")


def _check_links(tree: Tree, *, index: int) -> None:
    nodes, leaves = tree.leaves - 1, tree.leaves
    children = np.concatenate([tree.left, tree.right])
    _demand(bool(((children >= -leaves) & (children < nodes)).all()), index, "a link leaves the tree")
    # Every leaf and every node but the root is linked exactly once, and all are reached from the root:
    # together this is one binary tree without cycles.
    once = np.sort(children).tolist() == [*range(-leaves, 0), *range(1, nodes)]
    _demand(once, index, "a node or leaf is linked twice or never")
    _demand(len(_reached(tree)) == nodes, index, "a node cannot be reached from the root")


def _reached(tree: Tree) -> set[int]:
    seen, waiting = set[int](), [0]
    while waiting:
        node = waiting.pop()
        seen.add(node)
        waiting += [int(c) for c in (tree.left[node], tree.right[node]) if c >= 0 and int(c) not in seen]
    return seen


def _check_counts(tree: Tree, *, index: int) -> None:
    positive = bool((tree.leaf_count > 0).all() and (tree.node_count > 0).all())
    _demand(positive, index, "a node or leaf saw no training rows")
    sums = [tree.cover(int(a)) + tree.cover(int(b)) for a, b in zip(tree.left, tree.right, strict=True)]
    _demand(sums == tree.node_count.tolist(), index, "row counts of children do not add up to their parent")


def _demand(condition: bool, index: int, message: str) -> None:
    if not condition:
        raise BundleError(
            f"The model text is damaged: tree {index}: {message}.",
            next_step="Fetch the bundle again or retrain; do not edit model texts.",
        )
