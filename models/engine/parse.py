"""Read a LightGBM text model, with every length, link and number checked before anything uses it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from data.errors import BundleError
from models.engine.trees import CATEGORICAL, Tree, check_tree

T = TypeVar("T")

_INTEGERS = re.compile(r"-?[0-9]{1,18}(?: -?[0-9]{1,18})*")
# A split of "known" against "missing" has the threshold inf.
_NUMBER = r"(?:[-+0-9.eE]+|-?inf)"
_NUMBERS = re.compile(f"{_NUMBER}(?: {_NUMBER})*")
_START = "\n\nTree=0\n"
_END = "end of trees\n"
_MOST_FEATURES = 1_000_000


@dataclass(frozen=True)
class ParsedModel:
    """A checked model: trees in scoring order, and the reasons (if any) why only LightGBM can run it."""

    features: int
    trees: tuple[Tree, ...]
    unsupported: tuple[str, ...]


def parse_model(text: str) -> ParsedModel:
    """Read `Booster.model_to_string()`.

    The lengths LightGBM itself wrote (`tree_sizes`) must fit, so cut or shifted texts are refused. A digit
    changed inside a number cannot be seen from the text alone: compare a sha256 for that.

    Raises:
        BundleError: The text is not a whole, well-formed LightGBM model.
    """
    header, body = _split(text)
    features = _integer(header, "max_feature_idx") + 1
    _demand(0 < features <= _MOST_FEATURES, f"max_feature_idx gives {features} columns")
    blocks = _blocks(body, sizes=_integers(header.get("tree_sizes", ""), "tree_sizes"))
    fields = [_fields(block, index=i) for i, block in enumerate(blocks)]
    _check_header(header, features=features, trees=len(fields))
    trees = tuple(_tree(f) for f in fields)
    for i, tree in enumerate(trees):
        check_tree(tree, index=i, features=features)
        _check_extras(fields[i], tree)
    return ParsedModel(features=features, trees=trees, unsupported=_unsupported(header, fields))


def _check_header(header: dict[str, str], *, features: int, trees: int) -> None:
    for key in ("feature_names", "feature_infos"):
        _demand(len(header.get(key, "").split(" ")) == features, f"{key} does not name {features} columns")
    classes, each = _integer(header, "num_class"), _integer(header, "num_tree_per_iteration")
    _demand(each > 0 and trees % each == 0, f"{trees} trees are not a whole number of rounds of {each}")
    objective = header.get("objective", "")
    told = f"num_class:{classes}" in objective.split(" ") if classes > 1 else "num_class" not in objective
    _demand(
        classes > 0 and (told or not objective), f"num_class={classes} contradicts objective={objective!r}"
    )


def _check_extras(fields: dict[str, str], tree: Tree) -> None:
    """Only LightGBM reads these fields, and it reads beyond its memory when they are missing."""
    categorical = _integer(fields, "num_cat")
    _demand(int((tree.decision & CATEGORICAL).sum()) == categorical, "num_cat contradicts decision_type")
    if categorical:
        bounds = _checked(
            _integers(fields.get("cat_boundaries", ""), "cat_boundaries"), "cat_boundaries", categorical + 1
        )
        _checked(_integers(fields.get("cat_threshold", ""), "cat_threshold"), "cat_threshold", bounds[-1])
        _demand(bounds[0] == 0 and all(a < b for a, b in pairwise(bounds)), "cat_boundaries do not ascend")
    linear = _integer(fields, "is_linear")
    _demand(linear in (0, 1), f"is_linear is {linear}")
    if linear:
        _checked(_floats(fields.get("leaf_const", ""), "leaf_const"), "leaf_const", tree.leaves)


def _split(text: str) -> tuple[dict[str, str], str]:
    start, end = text.find(_START), text.find(_END)
    _demand(text.startswith("tree\n"), "it does not begin with the word tree")
    _demand(0 < start < end, "the list of trees is missing or has no end")
    lines = text[:start].split("\n")[1:]
    header = dict(_pair(line) for line in lines if line and line != "average_output")
    header["average_output"] = "1" if "average_output" in lines else "0"
    return header, text[start + 2 : end]


def _pair(line: str) -> tuple[str, str]:
    key, found, value = line.partition("=")
    _demand(bool(found), f"the line {line[:40]!r} is not key=value")
    return key, value


def _blocks(body: str, *, sizes: list[int]) -> list[str]:
    _demand(
        all(s > 0 for s in sizes) and sum(sizes) == len(body), "the trees are not as long as tree_sizes says"
    )
    ends = np.cumsum(sizes).tolist()
    return [body[end - size : end] for size, end in zip(sizes, ends, strict=True)]


def _fields(block: str, *, index: int) -> dict[str, str]:
    _demand(block.startswith(f"Tree={index}\n"), f"tree {index} is not where tree_sizes says")
    lines = [line for line in block.split("\n") if line]
    fields = dict(_pair(line) for line in lines)
    _demand(len(fields) == len(lines), f"tree {index} has a field twice")
    return fields


def _unsupported(header: dict[str, str], fields: list[dict[str, str]]) -> tuple[str, ...]:
    """Say in words what the fast engine does not know."""
    found = {
        f"format {header.get('version')!r} (known: 'v4')": header.get("version") != "v4",
        "several classes": (header.get("num_class"), header.get("num_tree_per_iteration")) != ("1", "1"),
        "averaged trees (random forest mode)": header["average_output"] == "1",
        "native categorical splits": any(_integer(f, "num_cat") for f in fields),
        "linear trees": any(_integer(f, "is_linear") for f in fields),
        "more than 32 leaves in a tree": any(_integer(f, "num_leaves") > 32 for f in fields),
    }
    return tuple(reason for reason, present in found.items() if present)


def _tree(fields: dict[str, str]) -> Tree:
    leaves = _integer(fields, "num_leaves")
    _demand(0 < leaves <= 1 << 20, f"a tree claims {leaves} leaves")
    nodes = leaves - 1

    def whole(key: str, length: int) -> NDArray[np.int64]:
        return np.array(_checked(_integers(fields.get(key, ""), key), key, length), dtype=np.int64)

    def real(key: str, length: int) -> NDArray[np.float64]:
        return np.array(_checked(_floats(fields.get(key, ""), key), key, length), dtype=np.float64)

    return Tree(
        feature=whole("split_feature", nodes),
        threshold=real("threshold", nodes),
        decision=whole("decision_type", nodes),
        left=whole("left_child", nodes),
        right=whole("right_child", nodes),
        leaf_value=real("leaf_value", leaves),
        leaf_count=whole("leaf_count", leaves),
        node_count=whole("internal_count", nodes),
    )


def _checked(values: list[T], key: str, length: int) -> list[T]:
    _demand(len(values) == length, f"{key} has {len(values)} values, not {length}")
    return values


def _integer(fields: dict[str, str], key: str) -> int:
    values = _integers(fields.get(key, ""), key)
    _demand(len(values) == 1, f"{key} is not one whole number")
    return values[0]


def _integers(text: str, key: str) -> list[int]:
    return _values(text, key, pattern=_INTEGERS, convert=int)


def _floats(text: str, key: str) -> list[float]:
    return _values(text, key, pattern=_NUMBERS, convert=float)


def _values(text: str, key: str, *, pattern: re.Pattern[str], convert: Callable[[str], T]) -> list[T]:
    if not text:
        return []
    _demand(pattern.fullmatch(text) is not None, f"{key} holds something that is no number")
    try:
        return [convert(part) for part in text.split(" ")]
    except ValueError:
        raise _damaged(f"{key} holds something that is no number") from None


def _demand(condition: bool, message: str) -> None:
    if not condition:
        raise _damaged(message)


def _damaged(message: str) -> BundleError:
    return BundleError(
        f"The model text is damaged: {message}.",
        allowed="the text of Booster.model_to_string(), unchanged",
        next_step="Fetch the bundle again or retrain.",
    )
