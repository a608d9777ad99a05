"""D7: the same data, seed and lock, in processes that share nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.faults.harness import FOLDER, Outcome, judged

TITLE = "The same data, seed and lock give the same model bytes and golden predictions"
SLOW = True  # two whole trainings
QUICK, FULL = 1, 6  # comparisons, each with another seed
# What must not matter: order of sets, time zone, folder, locale, threads offered.
ELSEWHERE = {"PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "OMP_NUM_THREADS": "4"}
HERE = {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"}


def run(size: int) -> Outcome:
    """From simulated tables to a sealed artifact, here and elsewhere."""
    return _tried(range(size), elsewhere=[])


def planted() -> Outcome:
    """The same when the seed of one side comes from the order of a set."""
    return _tried([0], elsewhere=["--seed-from-hash"])


def _tried(seeds: Sequence[int], *, elsewhere: Sequence[str]) -> Outcome:
    faults, told = [], ""
    for seed in seeds:
        here, there = reference(seed), trained(seed, ELSEWHERE, *elsewhere)
        different = sorted(name for name in {*here, *there} if here.get(name) != there.get(name))
        if different:
            faults.append(f"seed {seed}: {', '.join(different)} differ")
        told = f"{len(seeds)} × 2 processes, {len(here)} files, identity {here['manifest.json'][:12]}…"
    return judged(len(seeds), faults, told)


@cache
def reference(seed: int) -> dict[str, str]:
    """What is trained here."""
    return trained(seed, HERE)


def trained(seed: int, environment: dict[str, str], *options: str) -> dict[str, str]:
    """Name of each file of the artifact → its sha256, and the predictions."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(FOLDER / "train_small.py"), str(seed), folder, *options],
            cwd=folder,
            env={**os.environ, **environment, "PYTHONPATH": str(Path(FOLDER).parents[1])},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found
