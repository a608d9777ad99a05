"""A damaged text is refused before compiled code or LightGBM sees it."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from data.errors import BundleError
from models.engine import LightGBMEngine, TreeEngine, compile_engine
from models.engine.parse import parse_model


def _edit(text: str, *, tree: int, field: str, change: Callable[[list[str]], list[str]]) -> str:
    """Change one field of one tree and mend `tree_sizes`, as careful tampering would."""
    head, body = text.split("\n\nTree=0\n", 1)
    body, tail = ("Tree=0\n" + body).split("end of trees\n", 1)
    blocks = re.split(r"(?=Tree=\d+\n)", body)[1:]
    before = re.search(rf"^{field}=(.*)$", blocks[tree], flags=re.MULTILINE)
    assert before is not None
    after = f"{field}={' '.join(change(before.group(1).split(' ')))}"
    blocks[tree] = blocks[tree].replace(before.group(0), after, 1)
    sizes = " ".join(str(len(b)) for b in blocks)
    head = re.sub(r"^tree_sizes=.*$", f"tree_sizes={sizes}", head, flags=re.MULTILINE)
    return f"{head}\n\n{''.join(blocks)}end of trees\n{tail}"


def _first(value: str) -> Callable[[list[str]], list[str]]:
    return lambda values: [value, *values[1:]]


def test_an_edit_that_changes_nothing_is_accepted(case_of: Any) -> None:
    text = case_of("binary").text
    assert _edit(text, tree=3, field="threshold", change=list) == text


@pytest.mark.parametrize(
    ("field", "change", "told"),
    [
        ("split_feature", _first("12"), "outside 0..11"),
        ("split_feature", _first("-1"), "outside 0..11"),
        ("split_feature", _first("99999999999999999999"), "split_feature"),
        ("split_feature", lambda v: v[1:], "values, not"),
        ("threshold", _first("nan"), "no number"),
        ("threshold", _first("1_0"), "no number"),
        ("threshold", _first("1e5e5"), "no number"),
        ("threshold", _first(""), "no number"),
        ("leaf_value", _first("inf"), "not finite"),
        ("leaf_value", _first("1e999"), "not finite"),
        ("leaf_value", lambda v: [*v, "0.1"], "values, not"),
        ("decision_type", _first("14"), "decision type"),
        ("decision_type", _first("-2"), "decision type"),
        ("decision_type", _first("1"), "num_cat contradicts"),
        ("left_child", _first("0"), "linked twice or never"),
        ("left_child", _first("500"), "link leaves"),
        ("left_child", _first("-500"), "link leaves"),
        ("right_child", lambda v: v[::-1], "damaged"),
        ("leaf_count", _first("0"), "no training rows"),
        ("leaf_count", _first("100000"), "do not add up"),
        ("internal_count", _first("7"), "do not add up"),
        ("num_leaves", _first("3"), "values, not"),
        ("num_leaves", _first("0"), "0 leaves"),
        ("num_cat", _first("1"), "num_cat contradicts"),
        ("is_linear", _first("1"), "leaf_const"),
        ("is_linear", _first("two"), "no number"),
    ],
)
def test_tampered_trees_are_refused(case_of: Any, field: str, change: Any, told: str) -> None:
    text = _edit(case_of("binary").text, tree=2, field=field, change=change)
    with pytest.raises(BundleError, match=told):
        compile_engine(text)


def test_a_cycle_cut_off_from_the_root_is_refused(case_of: Any) -> None:
    """Every node is linked once, yet some only by each other: a walk that trusted counts would loop."""
    text = case_of("depth 4").text
    tree = parse_model(text).trees[0]
    inner = [n for n in range(1, tree.leaves - 1) if tree.left[n] >= 0]
    parent, child = inner[0], int(tree.left[inner[0]])
    sides = ("left", "right")
    above = next((s, n) for s in sides for n in range(tree.leaves - 1) if getattr(tree, s)[n] == parent)
    swapped = int(tree.left[child])
    changes = {"left": tree.left.copy(), "right": tree.right.copy()}
    changes[above[0]][above[1]], changes["left"][child] = swapped, parent
    for side, links in changes.items():
        text = _edit(text, tree=0, field=f"{side}_child", change=lambda _, n=links: [str(v) for v in n])
    with pytest.raises(BundleError, match="cannot be reached"):
        compile_engine(text)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tree\n", "trie\n"),
        ("num_class=1", "num_class=3"),
        ("num_class=1", "num_class=0"),
        ("num_tree_per_iteration=1", "num_tree_per_iteration=7"),
        ("max_feature_idx=11", "max_feature_idx=10"),
        ("max_feature_idx=11", "max_feature_idx=-5"),
        ("feature_infos=", "feature_infos=[0:1] "),
        ("version=v4", "version:v4"),
        ("Tree=4\n", "Tree=5\n"),
        ("end of trees", "end of treez"),
        ("tree_sizes=", "tree_sizes=1 "),
    ],
)
def test_tampered_headers_are_refused(case_of: Any, old: str, new: str) -> None:
    with pytest.raises(BundleError, match="damaged"):
        compile_engine(case_of("binary").text.replace(old, new, 1))


def test_every_cut_short_text_is_refused(case_of: Any) -> None:
    text = case_of("stumps").text
    end = text.index("end of trees\n") + len("end of trees\n")
    for length in range(0, end, 37):
        with pytest.raises(BundleError):
            compile_engine(text[:length])


def test_no_flipped_character_gets_past_the_hash_and_none_crashes_without_it(case_of: Any) -> None:
    case = case_of("depth 4")
    digest = hashlib.sha256(case.text.encode()).hexdigest()
    assert isinstance(compile_engine(case.text, sha256=digest), TreeEngine)
    rng = np.random.default_rng(5)
    refused = 0
    for position in rng.integers(0, case.text.index("end of trees"), 150).tolist():
        flipped = chr(ord(case.text[position]) ^ (1 << int(rng.integers(0, 7))))
        damaged = case.text[:position] + flipped + case.text[position + 1 :]
        with pytest.raises(BundleError, match="sha256"):
            compile_engine(damaged, sha256=digest)
        try:
            model = parse_model(damaged)
        except BundleError:
            refused += 1
            continue
        if not model.unsupported:
            assert np.isfinite(TreeEngine(model).raw(case.rows[:20])).all()
    assert refused > 50


FALLBACKS = {
    "more than 32 leaves": {"num_leaves": 40, "min_data_in_leaf": 2},
    "several classes": {"objective": "multiclass", "num_class": 3},
    "averaged trees": {"boosting": "rf", "bagging_fraction": 0.5, "bagging_freq": 1},
    "linear trees": {"linear_tree": True},
    "native categorical splits": {"categories": [3], "max_cat_to_onehot": 1, "min_data_per_group": 1},
}  # fmt: skip


@pytest.mark.parametrize("reason", list(FALLBACKS))
def test_what_the_compiled_engine_lacks_goes_to_lightgbm_and_says_why(
    booster_with: Any, case_of: Any, reason: str
) -> None:
    booster = booster_with(FALLBACKS[reason], trees=6)
    rows = np.nan_to_num(case_of("binary").rows[:50], posinf=5, neginf=-5).clip(-5, 5)
    engine = compile_engine(booster.model_to_string())
    assert isinstance(engine, LightGBMEngine)
    assert reason in engine.reason
    assert np.array_equal(engine.raw(rows), booster.predict(rows, raw_score=True))


def test_fallback_explains_and_groups_like_the_compiled_engine(case_of: Any) -> None:
    case = case_of("depth 5")
    ours, oracle = compile_engine(case.text), LightGBMEngine(case.booster, reason="asked for")
    groups = np.arange(12) % 5
    oracle.warm_up(groups)
    assert np.abs(ours.grouped(case.rows, groups) - oracle.grouped(case.rows, groups)).max() <= 1e-12
    assert oracle.expected_value == pytest.approx(ours.expected_value, abs=1e-15)
    assert oracle.raw(case.rows[:0]).shape == (0,)
    assert oracle.grouped(case.rows[:0], groups).shape == (0, 5)


def test_an_engine_that_disagrees_with_lightgbm_is_not_used(case_of: Any) -> None:
    case, other = case_of("binary"), case_of("depth 4")
    assert isinstance(compile_engine(case.text, check_rows=case.rows[:40]), TreeEngine)
    kept = compile_engine(case.text, booster=other.booster, check_rows=case.rows[:40])
    assert isinstance(kept, LightGBMEngine)
    assert "other values" in kept.reason


def test_importing_the_engine_loads_neither_numba_nor_lightgbm() -> None:
    code = "import sys, models.engine; assert not {'numba', 'lightgbm', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
