"""Cut each tree into units whose reasons can be tabulated.

The path-dependent TreeSHAP value of a tree is a sum over its leaves, and a leaf's share depends only on which
features of its path the row satisfies: on or off, never by how much. A *unit* is a subtree; all it needs to
know of a row is one bit for each feature on the way to it (still satisfied?) and one for each of its own
splits (left?). So everything a unit adds to the reasons is one line of a table of 2^bits lines, worked out
once. Larger units mean fewer look-ups and larger tables; `plan_units` picks the cheapest cut that fits.

Source: Lundberg et al., "From local explanations to global understanding", 2020; Yang, "Fast TreeSHAP", 2021.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from models.engine.trees import Tree

# Relative run time of a unit, of each of its bits and of each of its table look-ups, as measured.
_UNIT_COST, _BIT_COST, _SLOT_COST = 2.0, 0.3, 1.0


@dataclass(frozen=True)
class Test:
    """True for a row whose split outcomes (bit set = left) masked by `need` equal `want`."""

    need: int
    want: int


@dataclass(frozen=True)
class PathFeature:
    """One feature on the way to a leaf: all its splits there, and the share of rows that follow them."""

    feature: int
    share: float
    test: Test


@dataclass(frozen=True)
class UnitLeaf:
    """A leaf with the distinct features of its path; tests are on the unit's pattern."""

    value: float
    path: tuple[PathFeature, ...]


@dataclass(frozen=True)
class Unit:
    """A subtree: `bits` make up the pattern, first bit lowest; `slots` are the outputs it adds to."""

    bits: tuple[Test, ...]
    slots: tuple[int, ...]
    leaves: tuple[UnitLeaf, ...]

    @property
    def table_size(self) -> int:
        """Numbers in the unit's table."""
        return len(self.slots) << len(self.bits)


@dataclass
class _Step:
    """Where the walk stands: the splits of each feature so far, in the order first met."""

    tests: dict[int, Test] = field(default_factory=dict)
    shares: dict[int, float] = field(default_factory=dict)

    def follow(self, tree: Tree, node: int, *, left: bool) -> _Step:
        feature, child = int(tree.feature[node]), int((tree.left if left else tree.right)[node])
        before = self.tests.get(feature, Test(0, 0))
        test = Test(before.need | 1 << node, before.want | int(left) << node)
        share = self.shares.get(feature, 1.0) * (tree.cover(child) / tree.cover(node))
        return _Step({**self.tests, feature: test}, {**self.shares, feature: share})


def plan_units(tree: Tree, *, slot_of: list[int], most_bits: int) -> tuple[Unit, ...]:
    """Cut one tree into units.

    Args:
        tree: A checked tree with at least two leaves.
        slot_of: For each model column the output its contribution goes to.
        most_bits: Upper limit of a unit's bits, unless a single leaf needs more.
    """
    below = [_inner(tree, node) for node in range(tree.leaves - 1)]
    return _Planner(tree, slot_of, most_bits, below).cut(0, _Step())[1]


@dataclass(frozen=True)
class _Planner:
    tree: Tree
    slot_of: list[int]
    most_bits: int
    below: list[list[int]]

    def cut(self, child: int, step: _Step) -> tuple[float, tuple[Unit, ...]]:
        """Cheapest cover of the subtree at `child`: as one unit, or cut into its two halves."""
        inner = self.below[child] if child >= 0 else []
        bits = len(step.tests) + len(inner)
        fits = bits <= self.most_bits or child < 0
        slots = {self.slot_of[f] for f in (*step.tests, *(int(self.tree.feature[n]) for n in inner))}
        whole = _UNIT_COST + _BIT_COST * bits + _SLOT_COST * len(slots) if fits else float("inf")
        if child >= 0:
            left = self.cut(int(self.tree.left[child]), step.follow(self.tree, child, left=True))
            right = self.cut(int(self.tree.right[child]), step.follow(self.tree, child, left=False))
            if left[0] + right[0] < whole:
                return left[0] + right[0], left[1] + right[1]
        return whole, (self._unit(child, step, inner, sorted(slots)),)

    def _unit(self, child: int, step: _Step, inner: list[int], slots: list[int]) -> Unit:
        bits = (*step.tests.values(), *(Test(1 << n, 1 << n) for n in inner))
        prefix_bit = {f: 1 << i for i, f in enumerate(step.tests)}
        node_bit = {n: 1 << (len(step.tests) + i) for i, n in enumerate(inner)}
        leaves: list[UnitLeaf] = []
        start = {f: Test(bit, bit) for f, bit in prefix_bit.items()}
        self._leaves(child, _Step(start, dict(step.shares)), node_bit, leaves)
        return Unit(bits, tuple(slots), tuple(leaves))

    def _leaves(self, child: int, step: _Step, node_bit: dict[int, int], found: list[UnitLeaf]) -> None:
        if child < 0:
            path = tuple(PathFeature(f, step.shares[f], test) for f, test in step.tests.items())
            found.append(UnitLeaf(float(self.tree.leaf_value[~child]), path))
            return
        feature, bit = int(self.tree.feature[child]), node_bit[child]
        for left in (True, False):
            after = step.follow(self.tree, child, left=left)
            before = step.tests.get(feature, Test(0, 0))
            after.tests[feature] = Test(before.need | bit, before.want | (bit if left else 0))
            self._leaves(int((self.tree.left if left else self.tree.right)[child]), after, node_bit, found)


def _inner(tree: Tree, child: int) -> list[int]:
    if child < 0:
        return []
    return [child, *_inner(tree, int(tree.left[child])), *_inner(tree, int(tree.right[child]))]
