"""B8: what is promised of matching, tiers, routing, health, alerts and metrics, on values nobody picked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.faults.harness import FOLDER, Outcome, judged

TITLE = (
    "What is promised to be monotone, additive, idempotent or free of order is so for values nobody picked"
)
SLOW = True  # the same properties are tried once in `make test`
LIMIT_SECONDS = 1800
QUICK, FULL = 1, 10  # seeds
ROOT = FOLDER.parents[1]
SUBJECTS = (
    "accounts", "tiering", "routing", "health", "alerts", "evaluation/test_metrics.py",
    "evaluation/test_offpolicy.py", "evaluation/test_amounts.py", "models/test_scorecard.py",
    "models/test_explain.py", "models/test_hazards.py", "data/test_numbers.py", "data/test_dates.py",
    "data/test_rowhash.py",
)  # fmt: skip
FALSE = """
from hypothesis import given, strategies as st

@given(st.lists(st.floats(-1e6, 1e6), min_size=2))
def test_the_order_of_a_mean_does_not_matter(values):
    def forgetful(them):
        return sum(them[:-1])
    assert forgetful(values) == forgetful(values[::-1])
"""


def run(size: int) -> Outcome:
    """Every property of these subjects with each seed."""
    paths = [str(ROOT / "tests" / "unit" / subject) for subject in SUBJECTS]
    paths = [p for path in paths for p in _with_properties(Path(path))]
    examples, faults, tests = 0, [], 0
    for seed in range(size):
        count, values, failed = _pytest(paths, seed=seed)
        tests, examples = max(tests, count), examples + values
        faults += [f"seed {seed}: {f}" for f in failed]
    return judged(
        examples, faults, f"{tests} properties × {size} seeds, {examples} examples, 0 counter-examples"
    )


def planted() -> Outcome:
    """The same with a property that does not hold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "test_false.py"
        path.write_text(FALSE)
        _, _, failed = _pytest([str(path)], seed=0)
    return judged(1, failed, "")


def _with_properties(path: Path) -> list[str]:
    files = sorted(path.glob("test_*.py")) if path.is_dir() else [path]
    return [str(f) for f in files if f.is_file() and "hypothesis" in f.read_text(encoding="utf-8")]


def _pytest(paths: Sequence[str], *, seed: int) -> tuple[int, int, list[str]]:
    """Properties, passing examples, and what failed."""
    command = [
        sys.executable, "-W", "ignore", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
        "--import-mode=importlib", f"--hypothesis-seed={seed}", "--hypothesis-show-statistics",
        "-m", "hypothesis and not slow", *paths,
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "CI": "true"}
    )
    passing = [int(n) for n in re.findall(r"(\d+) passing, \d+ failing", done.stdout)]
    failed = re.findall(r"^FAILED (\S+)", done.stdout, re.MULTILINE)
    if done.returncode not in (0, 1) or not (passing or failed):
        failed.append(f"pytest ended with {done.returncode}: {(done.stdout + done.stderr)[-200:]}")
    return len(set(re.findall(r"^(\S+::\S+):$", done.stdout, re.MULTILINE))), sum(passing), failed
