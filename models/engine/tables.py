"""From trees and a grouping of columns to the arrays that contributions are read from."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from models.engine.compiled import reason_kernels
from models.engine.forest import Forest
from models.engine.layout import Integers, Leaves, Reals, Units, integers, masks, reals
from models.engine.reasons import gauss_legendre
from models.engine.trees import Tree
from models.engine.units import PathFeature, Test, Unit, UnitLeaf, plan_units

# Units of up to 2^8 lines; a single leaf with a longer path is worked out directly.
MOST_BITS = 8


@dataclass(frozen=True)
class ReasonTables:
    """What one grouping of columns needs: `only_slot[t]` >= 0 where a whole tree feeds one slot."""

    slots: int
    only_slot: Integers
    leaf_delta: Reals
    units: Units
    deep: Leaves
    points: Reals
    weights: Reals


@dataclass
class _LeafList:
    start: list[int] = field(default_factory=lambda: [0])
    value: list[float] = field(default_factory=list)
    path_start: list[int] = field(default_factory=lambda: [0])
    slot: list[int] = field(default_factory=list)
    share: list[float] = field(default_factory=list)
    need: list[int] = field(default_factory=list)
    want: list[int] = field(default_factory=list)

    def add(self, leaf: UnitLeaf, *, slots: list[int], tests: list[Test]) -> None:
        self.value.append(leaf.value)
        self.slot += slots
        self.share += [f.share for f in leaf.path]
        self.need += [t.need for t in tests]
        self.want += [t.want for t in tests]
        self.path_start.append(len(self.slot))

    def close(self) -> None:
        self.start.append(len(self.value))

    def arrays(self) -> Leaves:
        return Leaves(
            integers(self.start), reals(self.value), integers(self.path_start), integers(self.slot),
            reals(self.share), masks(self.need), masks(self.want),
        )  # fmt: skip


def build_reason_tables(forest: Forest, trees: tuple[Tree, ...], *, groups: Integers) -> ReasonTables:
    """Plan units for every tree and fill their tables.

    Args:
        forest: The compiled trees.
        trees: The trees it was compiled from.
        groups: For each model column the slot its contributions are summed into.
    """
    slot_of = groups.tolist()
    only_slot = integers([_only_slot(t, slot_of) for t in trees])
    tabled, deep = _plan(trees, slot_of, only_slot)
    units, leaves = _arrays(tabled, slot_of)
    points, weights = gauss_legendre()
    reason_kernels().build_tables(leaves, units, points, weights)
    delta = forest.leaf_value - forest.expected[:, None]
    slots = int(groups.max()) + 1 if len(groups) else 0
    return ReasonTables(slots, only_slot, delta, units, deep, points, weights)


def _only_slot(tree: Tree, slot_of: list[int]) -> int:
    slots = {slot_of[f] for f in tree.feature.tolist()}
    return slots.pop() if len(slots) == 1 else -1


def _plan(trees: tuple[Tree, ...], slot_of: list[int], only: Integers) -> tuple[list[list[Unit]], Leaves]:
    tabled: list[list[Unit]] = []
    deep = _LeafList()
    for tree, slot in zip(trees, only.tolist(), strict=True):
        plan = () if slot >= 0 or tree.leaves == 1 else plan_units(tree, slot_of=slot_of, most_bits=MOST_BITS)
        tabled.append([u for u in plan if len(u.bits) <= MOST_BITS])
        for unit in plan:
            if len(unit.bits) > MOST_BITS:
                leaf = unit.leaves[0]
                deep.add(leaf, slots=_slots(leaf.path, slot_of), tests=list(unit.bits))
        deep.close()
    return tabled, deep.arrays()


def _slots(path: tuple[PathFeature, ...], slot_of: list[int]) -> list[int]:
    return [slot_of[f.feature] for f in path]


def _arrays(plans: list[list[Unit]], slot_of: list[int]) -> tuple[Units, Leaves]:
    every = [unit for plan in plans for unit in plan]
    leaves = _LeafList()
    for unit in every:
        place = {slot: i for i, slot in enumerate(unit.slots)}
        for leaf in unit.leaves:
            local = [place[slot] for slot in _slots(leaf.path, slot_of)]
            leaves.add(leaf, slots=local, tests=[f.test for f in leaf.path])
        leaves.close()
    sizes = [unit.table_size for unit in every]
    units = Units(
        start=_ends([len(plan) for plan in plans]),
        bit_start=_ends([len(u.bits) for u in every]),
        need=masks([b.need for u in every for b in u.bits]),
        want=masks([b.want for u in every for b in u.bits]),
        slot_start=_ends([len(u.slots) for u in every]),
        slots=integers([s for u in every for s in u.slots]),
        table_start=_ends(sizes),
        table=np.zeros(sum(sizes)),
    )
    return units, leaves.arrays()


def _ends(sizes: list[int]) -> Integers:
    return integers(np.cumsum([0, *sizes]))
